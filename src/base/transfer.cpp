// SPDX-License-Identifier: Apache-2.0
#include "sonde/base/transfer.h"

#include <absl/status/status.h>
#include <curl/curl.h>

#include <atomic>
#include <string>

#include "sonde/base/result.h"

namespace sonde {
namespace {

// Counted by libcurl itself, once for the process; never undone, since other code may use it.
bool GlobalInit() {
  static const bool kDone = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return kDone;
}

}  // namespace

Status HeaderList::Add(const std::string& line) {
  if (line.find_first_of("\r\n") != std::string::npos) {
    return absl::InvalidArgumentError("a header holds a line break");
  }
  curl_slist* longer = curl_slist_append(lines_.get(), line.c_str());
  if (longer == nullptr) return absl::ResourceExhaustedError("out of memory");
  static_cast<void>(lines_.release());  // is `longer` or its tail
  lines_.reset(longer);
  return absl::OkStatus();
}

Transfer::Transfer()
    : multi_(GlobalInit() ? curl_multi_init() : nullptr),
      easy_(multi_ == nullptr ? nullptr : curl_easy_init()) {}

CURLcode Transfer::Perform() {
  constexpr int kPollMs = 1000;  // libcurl shortens it to its own timers
  CURLM* multi = multi_.get();
  if (easy_ == nullptr || curl_multi_add_handle(multi, easy_.get()) != CURLM_OK) {
    return CURLE_FAILED_INIT;
  }
  int running = 1;
  while (curl_multi_perform(multi, &running) == CURLM_OK && running > 0 && !cancelled()) {
    curl_multi_poll(multi, nullptr, 0, kPollMs, nullptr);
  }
  CURLcode code = CURLE_ABORTED_BY_CALLBACK;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg == CURLMSG_DONE) code = message->data.result;
  }
  curl_multi_remove_handle(multi, easy_.get());
  return code;
}

void Transfer::Cancel() {
  cancelled_.store(true, std::memory_order_relaxed);
  if (multi_ != nullptr) curl_multi_wakeup(multi_.get());  // which other threads may call
}

}  // namespace sonde
