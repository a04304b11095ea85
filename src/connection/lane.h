// SPDX-License-Identifier: Apache-2.0
// Puts the records of one direction in order before its stream: what comes early is held, what
// comes twice is dropped, and a hole that nothing fills is declared. It decides only the next step;
// the connection takes it, because parsing stands between two steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "connection/buffer_account.h"
#include "connection/environment.h"
#include "connection/segment.h"
#include "connection/stream.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::connection {

// How long a hole may stand open. Packets of a capture come later than records of one host: a lost
// packet is sent again after a round trip or a timeout.
struct GapPatience {
  uint64_t wait_ns = 0;
  uint64_t later_bytes = 0;
};
constexpr GapPatience kLivePatience{.wait_ns = 50'000'000, .later_bytes = 64U << 10};
constexpr GapPatience kWirePatience{.wait_ns = 1'000'000'000, .later_bytes = 1U << 20};

class Lane {
 public:
  Lane(Environment& environment, BufferAccount& account, bool wide)
      : stream_(account, wide), environment_(environment), account_(account), wide_(wide) {}

  Stream& stream() { return stream_; }
  const Stream& stream() const { return stream_; }

  // True: `segment`, trimmed, goes to the stream now. False: it was held or dropped.
  bool Admit(Segment& segment, uint64_t now_ns, bool may_repair);
  // The numbering is not the one of before: the caller begins the stream anew.
  bool Restarted(uint64_t offset, uint64_t length) const;

  // A record that came early, with its own copy of the bytes.
  struct Held {
    Segment segment;    // without views
    std::string bytes;  // prefix, then tail
    size_t prefix_bytes = 0;
    uint64_t since_ns = 0;
    Segment View() const;
  };
  bool holding() const { return !held_.empty(); }
  // Whether the hole before the held records has stood for long enough, or too much waits behind
  // it.
  bool GapIsDue(uint64_t now_ns, const GapPatience& patience) const;
  // The hole before the first held record, as a segment of lost bytes. Only while holding.
  Segment Gap() const;
  // Hands out the first held record if no hole stands before it.
  bool TakeReady(Held& held);
  // When the record was made that TakeReady would hand out; null if none.
  const uint64_t* NextReadyNs() const;

  // The offset at which this direction ends, once known.
  bool has_end() const { return has_end_; }
  uint64_t end_offset() const { return end_offset_; }
  uint64_t end_since_ns() const { return end_since_ns_; }
  void SetEnd(uint64_t offset, uint64_t now_ns);

 private:
  bool RepairTwoWriters(Segment& segment);
  void Hold(const Segment& segment, uint64_t now_ns);

  Stream stream_;
  Environment& environment_;
  BufferAccount& account_;
  std::vector<Held> held_;  // by offset
  bool wide_;
  bool has_end_ = false;
  uint64_t end_offset_ = 0;
  uint64_t end_since_ns_ = 0;
};

}  // namespace sonde::connection
