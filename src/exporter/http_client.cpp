// SPDX-License-Identifier: Apache-2.0
#include "exporter/http_client.h"

#include <absl/memory/memory.h>
#include <absl/status/status.h>
#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/gzip.h"
#include "sonde/base/result.h"

namespace sonde::exporter {
namespace {

// An answer beyond the bound is read and forgotten, so that its status still counts and the
// connection stays usable; the timeout bounds how long that can go on.
size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& body = *static_cast<std::string*>(user);
  const size_t bytes = size * count;
  body.append(data, std::min(bytes, HttpClient::kMaxBody - body.size()));
  return bytes;
}

HttpResponse::Transport TransportOf(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return HttpResponse::Transport::kUnusable;
    default:
      // Refused, reset, timed out, not resolved, a certificate that is not accepted (yet), garbage
      // instead of HTTP.
      return HttpResponse::Transport::kUnreachable;
  }
}

}  // namespace

HttpClient::HttpClient(HttpClientOptions options) : options_(std::move(options)) {}

Result<std::unique_ptr<HttpClient>> HttpClient::Create(HttpClientOptions options) {
  if (!options.url.starts_with("http://") && !options.url.starts_with("https://")) {
    return absl::InvalidArgumentError("'" + options.url + "' is not an http or https URL");
  }
  auto client = absl::WrapUnique(new HttpClient(std::move(options)));
  if (client->transfer_.handle() == nullptr) {
    return absl::InternalError("libcurl cannot be initialised");
  }
  if (const Status status = client->Configure(); !status.ok()) return status;
  return client;
}

Status HttpClient::Configure() {
  // "Expect:" keeps libcurl from waiting a second for 100-continue before larger bodies.
  for (const char* line : {"Expect:", "Accept:"}) {
    if (const Status status = headers_.Add(line); !status.ok()) return status;
  }
  if (const Status status = headers_.Add("Content-Type: " + options_.content_type); !status.ok())
    return status;
  if (options_.gzip) {
    if (const Status status = headers_.Add("Content-Encoding: gzip"); !status.ok()) return status;
  }
  for (const auto& [name, value] : options_.headers) {
    // libcurl's notation for a header without value.
    const std::string line = value.empty() ? name + ";" : name + ": " + value;
    if (const Status status = headers_.Add(line); !status.ok()) return status;
  }
  CURL* curl = transfer_.handle();
  curl_easy_setopt(curl, CURLOPT_URL, options_.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, options_.user_agent.c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &OnBody);
  const auto set_file = [&](CURLoption option, const std::string& path) {
    if (!path.empty()) curl_easy_setopt(curl, option, path.c_str());
  };
  set_file(CURLOPT_CAINFO, options_.certificate);
  set_file(CURLOPT_SSLCERT, options_.client_certificate);
  set_file(CURLOPT_SSLKEY, options_.client_key);
  return absl::OkStatus();
}

HttpResponse HttpClient::Post(std::string_view body, std::chrono::milliseconds timeout) {
  HttpResponse response;
  if (options_.gzip) {
    if (!Gzip(body, compressed_)) {
      response.transport = HttpResponse::Transport::kUnreachable;
      response.error = "cannot compress: out of memory";
      return response;
    }
    body = compressed_;
  }
  CURL* curl = transfer_.handle();
  char error[CURL_ERROR_SIZE] = {};
  // 0 would mean "no timeout".
  const long timeout_ms = std::max<long>(1, static_cast<long>(timeout.count()));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &response.body);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  const CURLcode code = transfer_.Perform();
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  if (code != CURLE_OK) {
    response.transport = TransportOf(code);
    response.error = error[0] != '\0' ? error : curl_easy_strerror(code);
    return response;
  }
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response.status);
  curl_off_t retry_after_s = 0;
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after_s);
  constexpr curl_off_t kMaxRetryAfter = 86'400;  // keeps the arithmetic of hostile values in range
  response.retry_after =
      std::chrono::seconds(std::clamp<curl_off_t>(retry_after_s, 0, kMaxRetryAfter));
  const char* content_type = nullptr;
  curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &content_type);
  if (content_type != nullptr) response.content_type = content_type;
  return response;
}

}  // namespace sonde::exporter
