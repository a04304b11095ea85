// SPDX-License-Identifier: Apache-2.0
// The open streams of a connection: one exchange each.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "protocol/common/length_prefixed.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http2 {

struct OpenStream {
  Exchange exchange;
  size_t kept_bytes = 0;                // of header fields
  LengthPrefixedWalk request_messages;  // meaningful if the bodies are framed so
  LengthPrefixedWalk response_messages;
  bool request_done = false;
  bool response_done = false;
  uint64_t last_ns = 0;  // when a frame of it was last moved

  HttpExchange& http() { return std::get<HttpExchange>(exchange.detail); }
};

class StreamTable {
 public:
  // Streams a peer may hold open towards us: servers allow 100 to 1000, some 2^31.
  static constexpr size_t kMaxOpen = 16384;
  // Header fields of all open streams of a connection.
  static constexpr size_t kMaxKeptBytes = 4U << 20;

  explicit StreamTable(MemoryAccount& memory) : memory_(memory) {}
  ~StreamTable();
  StreamTable(const StreamTable&) = delete;
  StreamTable& operator=(const StreamTable&) = delete;

  OpenStream* Find(uint32_t id);
  // Null if there is no room.
  OpenStream* Add(uint32_t id);
  std::unique_ptr<OpenStream> Remove(uint32_t id);
  // May header fields of so many bytes be kept for `stream`?
  bool Charge(OpenStream& stream, size_t bytes);

  // In order of their numbers, which is the order they were opened in.
  std::vector<uint32_t> Ids() const;
  template <typename Visit>
  void ForEach(const Visit& visit) {
    for (auto& [id, stream] : streams_) visit(id, *stream);
  }
  bool empty() const { return streams_.empty(); }

 private:
  absl::flat_hash_map<uint32_t, std::unique_ptr<OpenStream>> streams_;
  size_t kept_bytes_ = 0;
  MemoryAccount& memory_;
};

}  // namespace sonde::protocol::http2
