// SPDX-License-Identifier: Apache-2.0
// What parsers keep between calls (header tables, open streams), bounded over all connections.
#pragma once

#include <cstddef>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::connection {

// Shared by all connections of a table. Drain thread.
class ParserMemory final : public MemoryAccount {
 public:
  ParserMemory(size_t limit, Counter& dropped) : limit_(limit), dropped_(dropped) {}

  bool Take(size_t bytes) override {
    if (bytes > limit_ - used_) {
      dropped_.Add();
      return false;
    }
    used_ += bytes;
    return true;
  }
  void Give(size_t bytes) override { used_ -= bytes; }
  size_t used() const { return used_; }

 private:
  size_t limit_;
  size_t used_ = 0;
  Counter& dropped_;  // reason="parser_memory"
};

}  // namespace sonde::connection
