// SPDX-License-Identifier: Apache-2.0
// HTTP to a container engine's API over its unix socket (or TCP without TLS), with libcurl. Answers
// are bounded in bytes and time, redirects not followed.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "container/endpoints.h"
#include "sonde/base/result.h"
#include "sonde/base/transfer.h"

namespace sonde::container {

// An answer to look at; a container's inspection is some 10 KiB, a megabyte of labels more.
constexpr size_t kMaxAnswerBytes = 8U << 20;

class EngineClient {
 public:
  explicit EngineClient(Endpoint endpoint);

  // The body of a 200. kNotFound for 404; kUnavailable if the engine cannot be reached, is slower
  // than `timeout` or sends more than kMaxAnswerBytes; kInternal for any other status.
  Result<std::string> Get(const std::string& path, std::chrono::milliseconds timeout);

  // Reads an endless answer line by line until it ends or Cancel(). `on_open` is called when the
  // engine has begun to answer. Lines beyond 1 MiB are left out. Why it ended.
  Status Follow(const std::string& path, const std::function<void()>& on_open,
                const std::function<void(std::string_view)>& on_line);

  // Any thread: what runs and every later call return at once.
  void Cancel() { transfer_.Cancel(); }

 private:
  void Prepare(const std::string& path, curl_write_callback write, void* user);
  Status Perform();

  const Endpoint endpoint_;
  Transfer transfer_;
};

}  // namespace sonde::container
