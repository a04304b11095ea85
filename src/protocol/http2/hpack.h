// SPDX-License-Identifier: Apache-2.0
// HPACK (RFC 7541) for an observer who may have come late: the index layer is ours, the static
// table and Huffman decoding are nghttp2's (ADR 0006).
//
// Which entry an index means depends only on how many were inserted after it. So a table that was
// not seen from its start is an unknown tail: newer entries have their right numbers, older ones
// are unknown until they are sent again. Nothing is ever invented for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

struct nghttp2_hd_inflater;

namespace sonde::protocol::http2 {

// What a header block said. Pseudo-headers are fields whose name begins with ':'.
struct FieldList {
  std::vector<HttpHeader> fields;
  size_t bytes = 0;      // of names and values kept
  bool unknown = false;  // a field was left out: its name or value is not known
  bool cut = false;      // fields were left out: over the limit
  bool broken = false;   // the block is no HPACK; what came before is kept
  bool incomplete() const { return unknown || cut || broken; }
};

class HpackDecoder {
 public:
  // Bytes of entries kept per direction, whatever table size the peers agreed on (it may be 4 GiB):
  // what lies deeper is as unknown as what was sent before the attach.
  static constexpr size_t kKeptBytes = 64U << 10;
  static constexpr size_t kMaxFields = 512;

  // What the table holds is taken from `memory`; where there is no room it is forgotten.
  explicit HpackDecoder(MemoryAccount* memory = nullptr);
  ~HpackDecoder();
  HpackDecoder(const HpackDecoder&) = delete;
  HpackDecoder& operator=(const HpackDecoder&) = delete;

  // Decodes a whole block, or the start of one whose rest is lost: call Forget then.
  FieldList Decode(std::string_view block, size_t max_bytes);
  // Insertions were missed: what is in the table has an unknown number from here on.
  void Forget();
  // Nothing that a later decoder would have to know.
  bool pristine() const { return !inserted_ && !forgot_; }

 private:
  struct Entry {
    std::string name;
    std::string value;
    bool name_known = true;
    bool value_known = true;
    size_t size() const { return name.size() + value.size() + 32; }  // RFC 7541 4.1
    size_t memory() const { return size() + sizeof(Entry); }
  };
  // A string of the block, or of a table: a view, into the block or into `decoded`.
  struct Text {
    std::string_view view;
    bool known = true;
  };
  struct Cursor {
    std::string_view rest;
    bool broken = false;
  };

  static uint64_t ReadInteger(Cursor& cursor, int prefix_bits);
  Text ReadString(Cursor& cursor, std::string& decoded);
  bool HaveInflater();
  void DropInflater();
  bool Huffman(std::string_view coded, std::string& decoded);
  bool Lookup(uint64_t index, Entry& entry);
  void ReadField(Cursor& cursor, FieldList& list, size_t max_bytes);
  void Insert(const Entry& entry);
  void Evict(size_t limit);
  void Clear();
  static void Keep(const Entry& entry, FieldList& list, size_t max_bytes);

  MemoryAccount* memory_;
  struct Deleter {
    void operator()(nghttp2_hd_inflater* inflater) const;
  };
  std::unique_ptr<nghttp2_hd_inflater, Deleter> inflater_;
  bool inflater_charged_ = false;
  std::deque<Entry> table_;  // newest first
  size_t table_bytes_ = 0;
  size_t limit_ = kKeptBytes;
  bool inserted_ = false;
  bool forgot_ = false;
  std::string name_;
  std::string value_;
};

}  // namespace sonde::protocol::http2
