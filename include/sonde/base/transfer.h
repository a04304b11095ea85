// SPDX-License-Identifier: Apache-2.0
// One kept-alive connection of libcurl whose waiting can be ended from another thread at once;
// curl_easy_perform() would notice within a second. Everything else about a request is set on
// handle() by who makes it. One thread, except Cancel().
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <memory>
#include <string>

#include "sonde/base/result.h"

namespace sonde {

// Lines of a request's head, as CURLOPT_HTTPHEADER takes them.
class HeaderList {
 public:
  // kInvalidArgument for a line that holds a line break, kResourceExhausted if memory is short.
  Status Add(const std::string& line);
  curl_slist* get() const { return lines_.get(); }

 private:
  struct Deleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  std::unique_ptr<curl_slist, Deleter> lines_;
};

class Transfer {
 public:
  Transfer();

  // Null: libcurl cannot be used.
  CURL* handle() const { return easy_.get(); }

  // As curl_easy_perform(); CURLE_ABORTED_BY_CALLBACK after Cancel().
  CURLcode Perform();

  // Any thread: what runs and every later Perform() return at once.
  void Cancel();
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  struct EasyDeleter {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  };
  struct MultiDeleter {  // a type of its own: libcurl's handles are all void
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  std::unique_ptr<CURLM, MultiDeleter> multi_;  // keeps the connection between requests
  std::unique_ptr<CURL, EasyDeleter> easy_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace sonde
