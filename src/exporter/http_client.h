// SPDX-License-Identifier: Apache-2.0
// POSTs of one exporter to one URL over libcurl: one kept-alive connection, bounded answers,
// redirects not followed. One thread, except Cancel().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/base/result.h"
#include "sonde/base/transfer.h"
#include "sonde/config/config.h"

namespace sonde::exporter {

struct HttpClientOptions {
  std::string url;
  std::string content_type;
  std::string user_agent;
  std::vector<std::pair<std::string, std::string>> headers;
  bool gzip = false;
  std::string certificate;  // PEM files, empty = the system's
  std::string client_certificate;
  std::string client_key;
};

struct HttpResponse {
  enum class Transport : uint8_t { kAnswered, kUnreachable, kUnusable };
  Transport transport = Transport::kAnswered;  // kUnusable: trying again cannot help
  long status = 0;
  std::string content_type;
  std::string body;  // the first kMaxBody bytes
  std::chrono::milliseconds retry_after{0};
  std::string error;  // unless kAnswered
};

class HttpClient {
 public:
  static constexpr size_t kMaxBody = 64U << 10;

  static Result<std::unique_ptr<HttpClient>> Create(HttpClientOptions options);

  // `body` is compressed here if the options say so.
  HttpResponse Post(std::string_view body, std::chrono::milliseconds timeout);

  // Any thread: a running Post and every later one return at once.
  void Cancel() { transfer_.Cancel(); }

 private:
  explicit HttpClient(HttpClientOptions options);
  Status Configure();

  const HttpClientOptions options_;
  Transfer transfer_;
  HeaderList headers_;
  std::string compressed_;
};

}  // namespace sonde::exporter
