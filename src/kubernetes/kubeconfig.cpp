// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/kubeconfig.h"

#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <string>

#include "kubernetes/access.h"
#include "sonde/base/result.h"

namespace sonde::kubernetes {
namespace {

// yaml-cpp's operator[] of a const node makes no entry; of something that is no map it throws,
// which ReadKubeconfig catches.
std::string Text(const YAML::Node& map, const char* key) {
  const YAML::Node value = map[key];
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

// The entry `name` of a list of {name: ..., <what>: {...}}.
YAML::Node Named(const YAML::Node& list, const std::string& name, const char* what) {
  for (const YAML::Node& entry : list) {
    if (Text(entry, "name") == name) return entry[what];
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

class Reader {
 public:
  explicit Reader(const std::string& path)
      : path_(path), directory_(std::filesystem::path(path).parent_path()) {}

  Result<Access> Read() {
    const YAML::Node root = YAML::LoadFile(path_);
    const std::string current = Text(root, "current-context");
    const YAML::Node context = Named(root["contexts"], current, "context");
    if (!context) return Refused("has no context '" + current + "'", "set current-context");
    const YAML::Node cluster = Named(root["clusters"], Text(context, "cluster"), "cluster");
    if (!cluster) return Refused("has no cluster '" + Text(context, "cluster") + "'", "add it");
    Access access;
    access.origin = path_;
    if (Status status = ReadCluster(cluster, access); !status.ok()) return status;
    const YAML::Node user = Named(root["users"], Text(context, "user"), "user");
    if (user) {
      if (Status status = ReadUser(user, access); !status.ok()) return status;
    }
    return access;
  }

 private:
  Status Refused(const std::string& what, const std::string& remedy) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, " ", what, "; remedy: ", remedy));
  }

  Status ReadCluster(const YAML::Node& cluster, Access& access) const {
    access.server = Text(cluster, "server");
    while (access.server.ends_with('/')) access.server.pop_back();
    if (!access.server.starts_with("https://") && !access.server.starts_with("http://")) {
      return Refused("names no server", "server: https://HOST:PORT in its cluster");
    }
    for (const char* key : {"tls-server-name", "proxy-url"}) {
      if (!Text(cluster, key).empty()) {
        return Refused(absl::StrCat("uses ", key, ", which sonde does not"), "take it out");
      }
    }
    access.insecure = Text(cluster, "insecure-skip-tls-verify") == "true";
    return ReadPem(cluster, "certificate-authority", access.ca_file, access.ca_data);
  }

  Status ReadUser(const YAML::Node& user, Access& access) const {
    for (const char* key : {"exec", "auth-provider", "username"}) {
      if (!user[key]) continue;
      return Refused(absl::StrCat("has a user with ", key, ", which sonde does not use"),
                     "a user with token, tokenFile or client-certificate and client-key");
    }
    access.token = Text(user, "token");
    if (access.token.empty()) access.token_file = Path(Text(user, "tokenFile"));
    Status status =
        ReadPem(user, "client-certificate", access.certificate_file, access.certificate_data);
    if (!status.ok()) return status;
    return ReadPem(user, "client-key", access.key_file, access.key_data);
  }

  // "<key>-data" in base64 wins over the file "<key>", as in client-go.
  Status ReadPem(const YAML::Node& map, const std::string& key, std::string& file,
                 std::string& data) const {
    const std::string encoded = Text(map, (key + "-data").c_str());
    if (encoded.empty()) {
      file = Path(Text(map, key.c_str()));
    } else if (!absl::Base64Unescape(encoded, &data)) {
      return Refused("has a " + key + "-data that is no base64", "encode the PEM text");
    }
    return absl::OkStatus();
  }

  std::string Path(const std::string& path) const {
    return path.empty() ? path : (directory_ / path).string();  // an absolute one stays
  }

  const std::string path_;
  const std::filesystem::path directory_;
};

}  // namespace

Result<Access> ReadKubeconfig(const std::string& path) {
  try {
    return Reader(path).Read();
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", error.what(), "; remedy: a kubeconfig file that can be read"));
  }
}

}  // namespace sonde::kubernetes
