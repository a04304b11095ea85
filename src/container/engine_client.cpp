// SPDX-License-Identifier: Apache-2.0
#include "container/engine_client.h"

#include <absl/status/status.h>
#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "container/endpoints.h"
#include "container/line_splitter.h"
#include "sonde/base/result.h"

namespace sonde::container {
namespace {

constexpr size_t kMaxLineBytes = 1U << 20;
constexpr long kConnectMs = 1000;

struct Body {
  std::string text;
};

// 0 makes libcurl give up with CURLE_WRITE_ERROR.
size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& body = *static_cast<Body*>(user);
  const size_t bytes = size * count;
  if (body.text.size() + bytes > kMaxAnswerBytes) return 0;
  body.text.append(data, bytes);
  return bytes;
}

struct Lines {
  CURL* curl = nullptr;
  const std::function<void(std::string_view)>* on_line = nullptr;
  LineSplitter splitter{kMaxLineBytes};
};

size_t OnLines(char* data, size_t size, size_t count, void* user) {
  auto& lines = *static_cast<Lines*>(user);
  const size_t bytes = size * count;
  long status = 0;
  curl_easy_getinfo(lines.curl, CURLINFO_RESPONSE_CODE, &status);
  if (status == 200) lines.splitter.Add(std::string_view(data, bytes), *lines.on_line);
  return bytes;
}

struct Opening {
  CURL* curl = nullptr;
  const std::function<void()>* on_open = nullptr;
};

// The empty line ends the head.
size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  const auto& opening = *static_cast<Opening*>(user);
  const size_t bytes = size * count;
  long status = 0;
  curl_easy_getinfo(opening.curl, CURLINFO_RESPONSE_CODE, &status);
  if (std::string_view(data, bytes) == "\r\n" && status == 200) (*opening.on_open)();
  return bytes;
}

Status StatusOf(long code) {
  if (code == 200) return absl::OkStatus();
  if (code == 404) return absl::NotFoundError("no such container");
  return absl::InternalError("the engine answers with status " + std::to_string(code));
}

}  // namespace

EngineClient::EngineClient(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

void EngineClient::Prepare(const std::string& path, curl_write_callback write, void* user) {
  CURL* curl = transfer_.handle();
  curl_easy_reset(curl);  // options only: the connection stays
  const std::string base = endpoint_.socket.empty() ? endpoint_.url : "http://localhost";
  curl_easy_setopt(curl, CURLOPT_URL, (base + path).c_str());
  if (!endpoint_.socket.empty()) {
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, endpoint_.socket.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(curl, CURLOPT_PROXY, "");  // of the environment: not for this
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "sonde");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, write);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, user);
}

Status EngineClient::Perform() {
  const CURLcode code = transfer_.Perform();
  if (code != CURLE_OK) return absl::UnavailableError(curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(transfer_.handle(), CURLINFO_RESPONSE_CODE, &status);
  return StatusOf(status);
}

Result<std::string> EngineClient::Get(const std::string& path, std::chrono::milliseconds timeout) {
  if (transfer_.handle() == nullptr) return absl::InternalError("libcurl cannot be used");
  Body body;
  Prepare(path, &OnBody, &body);
  curl_easy_setopt(transfer_.handle(), CURLOPT_TIMEOUT_MS,
                   std::max<long>(1, static_cast<long>(timeout.count())));  // 0 = none
  if (Status status = Perform(); !status.ok()) return status;
  return std::move(body.text);
}

Status EngineClient::Follow(const std::string& path, const std::function<void()>& on_open,
                            const std::function<void(std::string_view)>& on_line) {
  if (transfer_.handle() == nullptr) return absl::InternalError("libcurl cannot be used");
  Lines lines{.curl = transfer_.handle(), .on_line = &on_line};
  Opening opening{.curl = transfer_.handle(), .on_open = &on_open};
  Prepare(path, &OnLines, &lines);
  curl_easy_setopt(transfer_.handle(), CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(transfer_.handle(), CURLOPT_HEADERDATA, &opening);
  return Perform();
}

}  // namespace sonde::container
