// SPDX-License-Identifier: Apache-2.0
// One direction of a connection, in order: what the parser has not consumed yet. A record that
// finds the stream empty is shown from the event's own memory (live); only what the parser leaves
// behind is copied (stored).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connection/buffer_account.h"
#include "connection/segment.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::connection {

class Stream final : public StreamView {
 public:
  // `wide`: raw positions are byte counts, not 32-bit sequence numbers.
  Stream(BufferAccount& account, bool wide) : account_(account), wide_(wide) {}

  // Added to every offset so that records from before the first one seen do not underflow.
  static constexpr uint64_t kBias = uint64_t{1} << 32;
  // Byte counts beyond this are a damaged recording's; sums of offsets and lengths never wrap.
  static constexpr uint64_t kMaxCount = (uint64_t{1} << 62) - 1;

  // The unwrapped offset that is nearest to what is expected next.
  uint64_t Unwrap(uint64_t raw) const;
  // The same byte, counted from the start again: jumps back must not wear out the bias.
  uint64_t Rebased(uint64_t offset) const { return wide_ ? offset : (offset & UINT32_MAX) + kBias; }
  bool begun() const { return begun_; }
  // `known`: not just the first record that happened to come.
  void Begin(uint64_t offset, bool known);
  // Bytes were passed over before there was a parser: for it the stream begins in the middle.
  void ForgetBegin() { begin_known_ = false; }

  uint64_t end() const { return end_; }        // offset of the next byte that must come
  uint64_t skipping() const { return skip_; }  // of those to come, not wanted
  bool stored() const { return head_ < extents_.size(); }

  // Adds what begins at end(). Its views must stay valid until Keep().
  void Offer(const Segment& segment);
  // Copies what is left of the offered segment.
  void Keep();
  void SetEnded() { ended_ = true; }

  uint64_t offset() const override { return front_; }
  uint64_t RawPosition(uint64_t offset) const override;
  std::string_view bytes() const override;
  uint64_t hole() const override;
  bool lost() const override;
  bool at_record_start() const override;
  uint64_t record_left() const override;
  bool begin_known() const override { return begin_known_; }
  bool ended() const override { return ended_; }
  const Mark& MarkAt(uint64_t ahead) const override;
  const Mark& last_mark() const override { return last_mark_; }
  void Consume(size_t n) override { Skip(n); }
  void Skip(uint64_t n) override;

 private:
  // A run of captured bytes or a hole. Captured runs lie in data_ one behind the other.
  struct Extent {
    uint64_t begin = 0;
    uint64_t length = 0;
    Mark mark;
    bool hole = false;
    bool lost = false;         // no record was seen for it
    bool partly_lost = false;  // nor for some of it
    bool record_start = false;
    uint64_t end() const { return begin + length; }
  };

  void Store(const Segment& segment);
  void StoreBytes(std::string_view bytes, uint64_t begin, const Segment& segment);
  // Adds to the last extent; false if the bytes need their own.
  bool Extend(std::string_view bytes, uint64_t begin, const Segment& segment);
  void StoreHole(uint64_t begin, uint64_t length, const Segment& segment);
  void SkipStored(uint64_t n);
  void FindRun();
  void Compact();

  BufferAccount& account_;
  bool wide_;
  bool begun_ = false;
  bool begin_known_ = false;
  bool ended_ = false;
  bool live_valid_ = false;
  uint64_t front_ = 0;
  uint64_t end_ = 0;
  uint64_t skip_ = 0;
  Mark last_mark_;
  Segment live_;  // trimmed as the front moves over it

  std::string data_;
  size_t data_pos_ = 0;  // of the front in data_
  std::vector<Extent> extents_;
  size_t head_ = 0;   // first extent not passed
  uint64_t run_ = 0;  // captured bytes from the front to the first hole
};

}  // namespace sonde::connection
