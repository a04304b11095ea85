// SPDX-License-Identifier: Apache-2.0
#include "resource/cloud.h"

#include <httplib.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "resource/text.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/span.h"

namespace sonde::resource {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxAnswerBytes = 1U << 20;

Json ParseJson(std::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

// Text or number at "a/b"; "" if there is none.
std::string At(const Json& root, const char* pointer) {
  const Json::json_pointer path(pointer);
  if (!root.is_object() || !root.contains(path)) return {};
  const Json& value = root.at(path);
  if (value.is_string()) return ToUtf8(value.get<std::string>());
  return value.is_number_unsigned() ? std::to_string(value.get<uint64_t>()) : std::string();
}

// "projects/7/zones/europe-west1-b" -> "europe-west1-b".
std::string Last(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class Builder {
 public:
  Builder& Add(std::string_view key, std::string value) {
    if (!value.empty()) attributes_.push_back({key, std::move(value)});
    return *this;
  }
  // Without the host's id there is nothing to be sure of.
  Attributes Build() {
    return FindAttribute(attributes_, "host.id") == nullptr ? Attributes() : std::move(attributes_);
  }

 private:
  Attributes attributes_;
};

// How each is asked. Headers keep out requests that a browser or a proxy was led to make.
struct Provider {
  std::string_view name;
  const char* path;
  httplib::Headers headers;
  Attributes (*parse)(std::string_view json);
};

std::optional<Provider> FindProvider(std::string_view name) {
  if (name == "aws")
    return Provider{name, "/latest/dynamic/instance-identity/document", {}, ParseAws};
  if (name == "gcp") {
    return Provider{
        name, "/computeMetadata/v1/?recursive=true", {{"Metadata-Flavor", "Google"}}, ParseGcp};
  }
  if (name == "azure") {
    return Provider{
        name, "/metadata/instance?api-version=2021-02-01", {{"Metadata", "true"}}, ParseAzure};
  }
  return std::nullopt;
}

// AWS gives what it knows for a token only (IMDSv2).
bool AddAwsToken(httplib::Client& client, httplib::Headers& headers) {
  const auto token = client.Put("/latest/api/token",
                                {{"X-aws-ec2-metadata-token-ttl-seconds", "60"}}, "", "text/plain");
  if (!token || token->status != 200) return false;
  headers.emplace("X-aws-ec2-metadata-token", token->body);
  return true;
}

}  // namespace

Attributes ParseAws(std::string_view json) {
  const Json root = ParseJson(json);
  return Builder()
      .Add("cloud.provider", "aws")
      .Add("cloud.platform", "aws_ec2")
      .Add("cloud.region", At(root, "/region"))
      .Add("cloud.availability_zone", At(root, "/availabilityZone"))
      .Add("cloud.account.id", At(root, "/accountId"))
      .Add("host.id", At(root, "/instanceId"))
      .Add("host.type", At(root, "/instanceType"))
      .Add("host.image.id", At(root, "/imageId"))
      .Build();
}

Attributes ParseGcp(std::string_view json) {
  const Json root = ParseJson(json);
  const std::string zone = Last(At(root, "/instance/zone"));
  const size_t dash = zone.rfind('-');
  return Builder()
      .Add("cloud.provider", "gcp")
      .Add("cloud.platform", "gcp_compute_engine")
      .Add("cloud.region", dash == std::string::npos ? std::string() : zone.substr(0, dash))
      .Add("cloud.availability_zone", zone)
      .Add("cloud.account.id", At(root, "/project/projectId"))
      .Add("host.id", At(root, "/instance/id"))
      .Add("host.type", Last(At(root, "/instance/machineType")))
      .Add("host.image.id", At(root, "/instance/image"))
      .Build();
}

Attributes ParseAzure(std::string_view json) {
  const Json root = ParseJson(json);
  return Builder()
      .Add("cloud.provider", "azure")
      .Add("cloud.platform", "azure.vm")
      .Add("cloud.region", At(root, "/compute/location"))
      .Add("cloud.availability_zone", At(root, "/compute/zone"))
      .Add("cloud.account.id", At(root, "/compute/subscriptionId"))
      .Add("cloud.resource_id", At(root, "/compute/resourceId"))
      .Add("host.id", At(root, "/compute/vmId"))
      .Add("host.type", At(root, "/compute/vmSize"))
      .Build();
}

CloudMetadata::CloudMetadata(Options options, MetricRegistry& metrics)
    : options_(std::move(options)), metrics_(metrics) {
  thread_ = std::thread([this] { Run(); });
}

CloudMetadata::~CloudMetadata() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  thread_.join();
}

std::optional<Attributes> CloudMetadata::Take() {
  if (!ready_.exchange(false)) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  return std::exchange(found_, std::nullopt);
}

void CloudMetadata::Run() {
  for (size_t round = 0; round <= options_.retries.size(); ++round) {
    for (const std::string& provider : options_.providers) {
      {
        const std::scoped_lock lock(mutex_);
        if (stop_) return;
      }
      if (Ask(provider)) return;
    }
    if (round == options_.retries.size()) return;
    std::unique_lock lock(mutex_);
    if (stopping_.wait_for(lock, options_.retries[round], [this] { return stop_; })) return;
  }
}

bool CloudMetadata::Ask(const std::string& name) {
  auto provider = FindProvider(name);
  if (!provider) return false;
  const auto count = [&](const char* result) {
    metrics_
        .AddCounter("sonde_cloud_lookups_total", "Questions to clouds' metadata services",
                    {{"provider", name}, {"result", result}})
        .Add();
  };
  httplib::Client client(options_.base);
  client.set_connection_timeout(options_.timeout);
  client.set_read_timeout(options_.timeout);
  client.set_write_timeout(options_.timeout);
  // A proxy has no business here, and whoever redirects is no metadata service.
  client.set_follow_location(false);
  if (name == "aws" && !AddAwsToken(client, provider->headers)) {
    count("unreachable");
    return false;
  }
  std::string body;
  const auto answer =
      client.Get(provider->path, provider->headers, [&body](const char* data, size_t size) {
        body.append(data, size);
        return body.size() <= kMaxAnswerBytes;
      });
  if (!answer || answer->status != 200) {
    count("unreachable");
    return false;
  }
  Attributes attributes = provider->parse(body);
  if (attributes.empty()) {
    count("malformed");
    return false;
  }
  count("found");
  const std::scoped_lock lock(mutex_);
  found_ = std::move(attributes);
  ready_ = true;
  return true;
}

}  // namespace sonde::resource
