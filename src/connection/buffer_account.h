// SPDX-License-Identifier: Apache-2.0
// Memory limits for kept bytes: one account per connection, one total over all. What does not fit
// is not kept: the stream has a hole there, and a counter says why.
#pragma once

#include <cstddef>

#include "sonde/base/metrics.h"

namespace sonde::connection {

// Shared by all connections of a table. Drain thread.
struct BufferTotal {
  size_t used = 0;
  size_t limit = 0;
  size_t connection_limit = 0;
  Counter* dropped_connection = nullptr;  // reason="connection_buffer"
  Counter* dropped_total = nullptr;       // reason="total_buffer"
};

class BufferAccount {
 public:
  explicit BufferAccount(BufferTotal& total) : total_(total) {}
  ~BufferAccount() { total_.used -= used_; }
  BufferAccount(const BufferAccount&) = delete;
  BufferAccount& operator=(const BufferAccount&) = delete;

  // False, and counted, if a limit forbids it.
  bool Take(size_t bytes) {
    if (used_ + bytes > total_.connection_limit) {
      total_.dropped_connection->Add();
      return false;
    }
    if (total_.used + bytes > total_.limit) {
      total_.dropped_total->Add();
      return false;
    }
    used_ += bytes;
    total_.used += bytes;
    return true;
  }
  void Give(size_t bytes) {
    used_ -= bytes;
    total_.used -= bytes;
  }
  size_t used() const { return used_; }

 private:
  BufferTotal& total_;
  size_t used_ = 0;
};

}  // namespace sonde::connection
