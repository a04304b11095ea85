// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/api_client.h"

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <ios>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "container/line_splitter.h"
#include "container/text.h"
#include "kubernetes/access.h"
#include "sonde/base/result.h"

namespace sonde::kubernetes {
namespace {

constexpr long kConnectMs = 5000;
constexpr long kKeepAliveS = 30;  // a watch is silent for minutes; who is gone must be noticed
constexpr size_t kMaxTokenBytes = 64U << 10;
constexpr size_t kMaxMessageBytes = 300;

// The message of a Status object, else the beginning of whatever text that is.
std::string MessageOf(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_object() && json.contains("message") && json["message"].is_string()) {
    return container::CleanText(json["message"].get_ref<const std::string&>(), kMaxMessageBytes);
  }
  return container::CleanText(std::string_view(body).substr(0, kMaxMessageBytes), kMaxMessageBytes);
}

Status StatusOf(long http, const std::string& body) {
  constexpr long kTooManyRequests = 429;
  if (http == 200) return absl::OkStatus();
  const std::string message = absl::StrCat("HTTP ", http, ": ", MessageOf(body));
  switch (http) {
    case 401:
      return absl::UnauthenticatedError(message);
    case 403:
      return absl::PermissionDeniedError(message);
    case 404:
      return absl::NotFoundError(message);
    case 410:
      return absl::OutOfRangeError(message);
    case kTooManyRequests:
      return absl::UnavailableError(message);
    default:
      return http >= 500 ? absl::UnavailableError(message) : absl::InternalError(message);
  }
}

}  // namespace

// What the answer to one request goes into.
struct ApiClient::Call {
  CURL* curl = nullptr;
  size_t max_body = kMaxAnswerBytes;
  std::string body;
  const OnLine* on_line = nullptr;  // null: the whole body
  container::LineSplitter lines{kMaxLineBytes};
  bool too_large = false;
  bool ended = false;  // by on_line
};

ApiClient::ApiClient(Access access) : access_(std::move(access)) {
  if (transfer_.handle() != nullptr) SetCredentials();
}

void ApiClient::SetCredentials() {
  CURL* curl = transfer_.handle();
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "sonde");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, kKeepAliveS);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, kKeepAliveS / 3);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &OnBody);
  if (access_.insecure) {
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  const auto set = [&](CURLoption file, CURLoption blob, const std::string& path,
                       const std::string& data) {
    // Not copied: lives as long as access_.
    curl_blob text{const_cast<char*>(data.data()), data.size(), CURL_BLOB_NOCOPY};
    if (!data.empty()) curl_easy_setopt(curl, blob, &text);
    if (!path.empty()) curl_easy_setopt(curl, file, path.c_str());
  };
  set(CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB, access_.ca_file, access_.ca_data);
  set(CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, access_.certificate_file, access_.certificate_data);
  set(CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB, access_.key_file, access_.key_data);
}

Status ApiClient::SetToken() {
  std::string token = access_.token;
  if (!access_.token_file.empty()) {
    std::ifstream file(access_.token_file, std::ios::binary);
    token.resize(kMaxTokenBytes);
    file.read(token.data(), static_cast<std::streamsize>(token.size()));
    token.resize(static_cast<size_t>(file.gcount()));
    if (token.empty()) {
      return absl::UnauthenticatedError(access_.token_file + " cannot be read or is empty");
    }
  }
  absl::StripAsciiWhitespace(&token);
  headers_ = {};
  Status status = headers_.Add("Accept: application/json");
  if (status.ok() && !token.empty()) status = headers_.Add("Authorization: Bearer " + token);
  return status;
}

size_t ApiClient::OnBody(char* data, size_t size, size_t count, void* user) {
  Call& call = *static_cast<Call*>(user);
  const std::string_view piece(data, size * count);
  long http = 0;
  curl_easy_getinfo(call.curl, CURLINFO_RESPONSE_CODE, &http);
  if (call.on_line != nullptr && http == 200) {
    call.lines.Add(piece, [&](std::string_view line) {
      if (!call.ended) call.ended = !(*call.on_line)(line);
    });
    return call.ended ? CURL_WRITEFUNC_ERROR : piece.size();
  }
  if (piece.size() > call.max_body - call.body.size()) {
    call.too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  call.body.append(piece);
  return piece.size();
}

Status ApiClient::Run(const std::string& path, std::chrono::milliseconds timeout, Call& call) {
  if (transfer_.handle() == nullptr) return absl::InternalError("libcurl cannot be used");
  if (Status status = SetToken(); !status.ok()) return status;
  CURL* curl = transfer_.handle();
  call.curl = curl;
  char error[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(curl, CURLOPT_URL, (access_.server + path).c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &call);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                   std::max<long>(1, static_cast<long>(timeout.count())));  // 0 = none
  const CURLcode code = transfer_.Perform();
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  if (transfer_.cancelled()) return absl::CancelledError("stopping");
  if (call.ended) return absl::OkStatus();
  if (call.too_large) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the answer to ", path, " is larger than ", call.max_body, " bytes"));
  }
  if (code != CURLE_OK) {
    return absl::UnavailableError(
        absl::StrCat(access_.server, ": ", error[0] != '\0' ? error : curl_easy_strerror(code)));
  }
  long http = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
  return StatusOf(http, call.body);
}

Result<std::string> ApiClient::Get(const std::string& path, std::chrono::milliseconds timeout) {
  Call call;
  if (Status status = Run(path, timeout, call); !status.ok()) return status;
  return std::move(call.body);
}

Status ApiClient::Follow(const std::string& path, std::chrono::milliseconds timeout,
                         const OnLine& on_line, size_t* left_out) {
  constexpr size_t kMaxRefusal = 64U << 10;
  Call call;
  call.max_body = kMaxRefusal;
  call.on_line = &on_line;
  Status status = Run(path, timeout, call);
  *left_out += call.lines.left_out();
  return status;
}

const char* ResultName(const Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return "ok";
    case absl::StatusCode::kPermissionDenied:
      return "refused";
    case absl::StatusCode::kUnauthenticated:
      return "unauthenticated";
    case absl::StatusCode::kNotFound:
      return "not_found";
    case absl::StatusCode::kOutOfRange:
      return "expired";
    case absl::StatusCode::kResourceExhausted:
      return "too_large";
    case absl::StatusCode::kUnavailable:
      return "unreachable";
    case absl::StatusCode::kCancelled:
      return "cancelled";
    default:
      return "malformed";
  }
}

}  // namespace sonde::kubernetes
