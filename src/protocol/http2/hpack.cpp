// SPDX-License-Identifier: Apache-2.0
#include "protocol/http2/hpack.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http2 {
namespace {

// nghttp2's inflater with its empty table.
constexpr size_t kInflaterBytes = 2048;
constexpr size_t kUsualFields = 12;
constexpr uint64_t kStaticEntries = 61;  // RFC 7541 appendix A
// Larger integers are nothing that SETTINGS or a block could make sense of.
constexpr uint64_t kMaxInteger = uint64_t{1} << 32U;

// Encoded length of a Huffman string in front of it, as RFC 7541 5.1 says.
std::string LiteralHead(size_t length) {
  // Literal without indexing, new name of one byte: the value is what is wanted.
  std::string head("\x00\x01x", 3);
  if (length < 127) {
    head.push_back(static_cast<char>(0x80U | length));
    return head;
  }
  head.push_back(static_cast<char>(0xff));
  size_t rest = length - 127;
  for (; rest >= 128; rest >>= 7U) head.push_back(static_cast<char>(0x80U | (rest & 0x7fU)));
  head.push_back(static_cast<char>(rest));
  return head;
}

// nghttp2's, which it shows through an inflater only.
const std::array<HttpHeader, kStaticEntries>& StaticTable() {
  static const std::array<HttpHeader, kStaticEntries> table = [] {
    std::array<HttpHeader, kStaticEntries> fields;
    nghttp2_hd_inflater* inflater = nullptr;
    if (nghttp2_hd_inflate_new(&inflater) != 0) std::abort();  // no memory at all
    for (size_t i = 0; i < fields.size(); ++i) {
      const nghttp2_nv* field = nghttp2_hd_inflate_get_table_entry(inflater, i + 1);
      fields.at(i) = {.name = {reinterpret_cast<const char*>(field->name), field->namelen},
                      .value = {reinterpret_cast<const char*>(field->value), field->valuelen}};
    }
    nghttp2_hd_inflate_del(inflater);
    return fields;
  }();
  return table;
}

}  // namespace

void HpackDecoder::Deleter::operator()(nghttp2_hd_inflater* inflater) const {
  nghttp2_hd_inflate_del(inflater);
}

HpackDecoder::HpackDecoder(MemoryAccount* memory) : memory_(memory) {}

HpackDecoder::~HpackDecoder() {
  Clear();
  DropInflater();
}

void HpackDecoder::Clear() {
  Evict(0);
  std::deque<Entry>().swap(table_);
}

void HpackDecoder::Forget() {
  Clear();
  forgot_ = true;
}

FieldList HpackDecoder::Decode(std::string_view block, size_t max_bytes) {
  FieldList list;
  list.fields.reserve(std::min(kUsualFields, block.size()));  // a field has a byte at least
  Cursor cursor{.rest = block};
  while (!cursor.rest.empty() && !cursor.broken) ReadField(cursor, list, max_bytes);
  if (cursor.broken) {
    list.broken = true;
    Forget();
  }
  // What is kept of a stream is counted by its bytes.
  if (list.fields.capacity() > 2 * list.fields.size()) list.fields.shrink_to_fit();
  return list;
}

uint64_t HpackDecoder::ReadInteger(Cursor& cursor, int prefix_bits) {
  const uint64_t mask = (1U << static_cast<unsigned>(prefix_bits)) - 1;
  uint64_t value = static_cast<uint8_t>(cursor.rest.front()) & mask;
  cursor.rest.remove_prefix(1);
  if (value < mask) return value;
  for (unsigned shift = 0; shift <= 28; shift += 7) {
    if (cursor.rest.empty()) break;
    const auto byte = static_cast<uint8_t>(cursor.rest.front());
    cursor.rest.remove_prefix(1);
    value += static_cast<uint64_t>(byte & 0x7fU) << shift;
    if ((byte & 0x80U) == 0) {
      if (value <= kMaxInteger) return value;
      break;
    }
  }
  cursor.broken = true;
  return 0;
}

HpackDecoder::Text HpackDecoder::ReadString(Cursor& cursor, std::string& decoded) {
  if (cursor.rest.empty()) {
    cursor.broken = true;
    return {};
  }
  const bool coded = (static_cast<uint8_t>(cursor.rest.front()) & 0x80U) != 0;
  const uint64_t length = ReadInteger(cursor, 7);
  if (cursor.broken || length > cursor.rest.size()) {
    cursor.broken = true;
    return {};
  }
  const std::string_view bytes = cursor.rest.substr(0, length);
  cursor.rest.remove_prefix(length);
  if (!coded) return {.view = bytes};
  if (!Huffman(bytes, decoded)) return {.view = {}, .known = false};
  return {.view = decoded};
}

bool HpackDecoder::HaveInflater() {
  if (inflater_) return true;
  nghttp2_hd_inflater* inflater = nullptr;
  if (nghttp2_hd_inflate_new(&inflater) != 0) return false;
  inflater_.reset(inflater);
  inflater_charged_ = memory_ != nullptr && memory_->Take(kInflaterBytes);
  return true;
}

bool HpackDecoder::Huffman(std::string_view coded, std::string& decoded) {
  decoded.clear();
  if (coded.empty()) return true;
  if (!HaveInflater()) return false;
  const std::string head = LiteralHead(coded.size());
  const std::array<std::string_view, 2> pieces = {head, coded};
  bool found = false;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto* in = reinterpret_cast<const uint8_t*>(pieces[i].data());
    size_t left = pieces[i].size();
    const int final = i + 1 == pieces.size() ? 1 : 0;
    for (int flags = 0; left > 0 || (final != 0 && (flags & NGHTTP2_HD_INFLATE_FINAL) == 0);) {
      nghttp2_nv field{};
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags, in, left, final);
      if (used < 0) {  // an inflater that failed once is of no use any more
        DropInflater();
        return false;
      }
      in += used;
      left -= static_cast<size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        decoded.assign(reinterpret_cast<const char*>(field.value), field.valuelen);
        found = true;
      } else if (used == 0 && (flags & NGHTTP2_HD_INFLATE_FINAL) == 0) {
        break;
      }
    }
  }
  nghttp2_hd_inflate_end_headers(inflater_.get());
  if (memory_ != nullptr && !inflater_charged_) DropInflater();  // no room to keep it
  return found;
}

void HpackDecoder::DropInflater() {
  if (inflater_charged_) memory_->Give(kInflaterBytes);
  inflater_charged_ = false;
  inflater_.reset();
}

bool HpackDecoder::Lookup(uint64_t index, Entry& entry) {
  if (index == 0) return false;
  if (index <= kStaticEntries) {
    const HttpHeader& field = StaticTable().at(index - 1);
    entry.name = field.name;
    entry.value = field.value;
    return true;
  }
  const uint64_t depth = index - kStaticEntries - 1;
  if (depth < table_.size()) {
    entry = table_[depth];
  } else {
    entry.name_known = false;
    entry.value_known = false;
  }
  return true;
}

void HpackDecoder::ReadField(Cursor& cursor, FieldList& list, size_t max_bytes) {
  const auto first = static_cast<uint8_t>(cursor.rest.front());
  Entry entry;
  if ((first & 0x80U) != 0) {  // indexed (RFC 7541 6.1)
    const uint64_t index = ReadInteger(cursor, 7);
    if (!cursor.broken && !Lookup(index, entry)) cursor.broken = true;
    if (!cursor.broken) Keep(entry, list, max_bytes);
    return;
  }
  if ((first & 0xe0U) == 0x20U) {  // size update (6.3)
    const uint64_t size = ReadInteger(cursor, 5);
    limit_ = static_cast<size_t>(std::min<uint64_t>(size, kKeptBytes));
    Evict(limit_);
    return;
  }
  const bool indexing = (first & 0x40U) != 0;
  const uint64_t index = ReadInteger(cursor, indexing ? 6 : 4);
  if (cursor.broken) return;
  if (index == 0) {
    const Text name = ReadString(cursor, name_);
    entry.name = name.view;
    entry.name_known = name.known;
  } else if (!Lookup(index, entry)) {
    cursor.broken = true;
  }
  if (cursor.broken) return;
  const Text value = ReadString(cursor, value_);
  if (cursor.broken) return;
  entry.value = value.view;
  entry.value_known = value.known;
  Keep(entry, list, max_bytes);
  if (indexing) Insert(entry);
}

void HpackDecoder::Keep(const Entry& entry, FieldList& list, size_t max_bytes) {
  if (!entry.name_known || !entry.value_known) {
    list.unknown = true;
    return;
  }
  // What a list costs is what it says, not what it was sent as: one byte can name 4 KiB.
  if (list.bytes + entry.size() > max_bytes || list.fields.size() >= kMaxFields) {
    list.cut = true;
    return;
  }
  list.bytes += entry.size();
  list.fields.push_back({.name = entry.name, .value = entry.value});
}

void HpackDecoder::Insert(const Entry& entry) {
  inserted_ = true;
  Entry added = entry;
  if (entry.size() > kKeptBytes) {
    // In a table that is larger than what is kept it has a number, which must count.
    added = {.name = {}, .value = {}, .name_known = false, .value_known = false};
  }
  // Larger than the table: it empties the table and is not inserted (RFC 7541 4.4).
  Evict(limit_ > added.size() ? limit_ - added.size() : 0);
  if (added.size() > limit_) return;
  if (memory_ != nullptr && !memory_->Take(added.memory())) {
    Forget();
    return;
  }
  table_bytes_ += added.size();
  table_.push_front(std::move(added));
}

void HpackDecoder::Evict(size_t limit) {
  while (table_bytes_ > limit) {
    table_bytes_ -= table_.back().size();
    if (memory_ != nullptr) memory_->Give(table_.back().memory());
    table_.pop_back();
  }
}

}  // namespace sonde::protocol::http2
