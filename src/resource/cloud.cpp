// SPDX-License-Identifier: Apache-2.0
#include "resource/cloud.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
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
#include "sonde/base/transfer.h"
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
  const char* header;  // "": a token instead
  Attributes (*parse)(std::string_view json);
};

constexpr std::array<Provider, 3> kProviders{{
    {"aws", "/latest/dynamic/instance-identity/document", "", ParseAws},
    {"gcp", "/computeMetadata/v1/?recursive=true", "Metadata-Flavor: Google", ParseGcp},
    {"azure", "/metadata/instance?api-version=2021-02-01", "Metadata: true", ParseAzure},
}};

// 0 makes libcurl give up with CURLE_WRITE_ERROR.
size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& body = *static_cast<std::string*>(user);
  const size_t bytes = size * count;
  if (body.size() + bytes > kMaxAnswerBytes) return 0;
  body.append(data, bytes);
  return bytes;
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
  transfer_.Cancel();
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

// The body of an answer with status 200, to GET or to an empty PUT.
std::optional<std::string> CloudMetadata::Request(bool put, const char* path,
                                                  const std::string& header) {
  CURL* curl = transfer_.handle();
  HeaderList headers;
  if (curl == nullptr || !headers.Add(header).ok()) return std::nullopt;
  std::string body;
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, (options_.base + path).c_str());
  if (put) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");  // Content-Length: 0
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, put ? "PUT" : "GET");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  // A proxy has no business here, and whoever redirects is no metadata service.
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "sonde");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                   std::max<long>(1, static_cast<long>(options_.timeout.count())));  // 0 = none
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  long status = 0;
  const CURLcode code = transfer_.Perform();
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (code != CURLE_OK || status != 200) return std::nullopt;
  return body;
}

bool CloudMetadata::Ask(const std::string& name) {
  const auto* provider = std::ranges::find(kProviders, name, &Provider::name);
  if (provider == kProviders.end()) return false;
  const auto count = [&](const char* result) {
    metrics_
        .AddCounter("sonde_cloud_lookups_total", "Questions to clouds' metadata services",
                    {{"provider", name}, {"result", result}})
        .Add();
  };
  std::string header = provider->header;
  if (header.empty()) {
    // AWS gives what it knows for a token only (IMDSv2).
    const auto token =
        Request(true, "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60");
    header = "X-aws-ec2-metadata-token: " + token.value_or("");
    if (!token) {
      count("unreachable");
      return false;
    }
  }
  const auto answer = Request(false, provider->path, header);
  if (!answer) {
    count("unreachable");
    return false;
  }
  Attributes attributes = provider->parse(*answer);
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
