// SPDX-License-Identifier: Apache-2.0
// GETs to a Kubernetes API (or a kubelet) over libcurl: one kept-alive connection, answers bounded
// in bytes and time, redirects not followed. One thread, except Cancel().
//
// Statuses: kUnauthenticated 401, kPermissionDenied 403, kNotFound 404, kOutOfRange 410 (the
// resource version is too old), kResourceExhausted an answer beyond the bound, kUnavailable nobody
// answered or the server cannot now, kInternal anything else. Messages are the server's own, made
// fit for a log.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "kubernetes/access.h"
#include "sonde/base/result.h"
#include "sonde/base/transfer.h"

namespace sonde::kubernetes {

// A page of pods; one pod is bounded by what etcd stores, 1.5 MiB.
constexpr size_t kMaxAnswerBytes = 32U << 20;
constexpr size_t kMaxLineBytes = 4U << 20;

class ApiClient {
 public:
  explicit ApiClient(Access access);

  // The body of a 200. `path` with its query.
  Result<std::string> Get(const std::string& path, std::chrono::milliseconds timeout);

  // Hands over an endless answer line by line until the server ends it (OK), `timeout`, or an
  // error. `on_line` returns false to end it. `*left_out` counts lines beyond kMaxLineBytes.
  using OnLine = std::function<bool(std::string_view)>;
  Status Follow(const std::string& path, std::chrono::milliseconds timeout, const OnLine& on_line,
                size_t* left_out);

  // Any thread: what runs and every later call return at once with kCancelled.
  void Cancel() { transfer_.Cancel(); }

  const Access& access() const { return access_; }

 private:
  struct Call;
  static size_t OnBody(char* data, size_t size, size_t count, void* user);
  void SetCredentials();
  Status SetToken();
  Status Run(const std::string& path, std::chrono::milliseconds timeout, Call& call);

  const Access access_;
  Transfer transfer_;
  HeaderList headers_;
};

// One word for a counter's label: ok, refused, unauthenticated, not_found, expired, too_large,
// unreachable, cancelled, malformed.
const char* ResultName(const Status& status);

}  // namespace sonde::kubernetes
