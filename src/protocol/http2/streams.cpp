// SPDX-License-Identifier: Apache-2.0
#include "protocol/http2/streams.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sonde/pipeline/exchange.h"

namespace sonde::protocol::http2 {

namespace {

constexpr size_t kStreamBytes = sizeof(OpenStream) + 64;

}  // namespace

StreamTable::~StreamTable() { memory_.Give(kept_bytes_ + streams_.size() * kStreamBytes); }

OpenStream* StreamTable::Find(uint32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

OpenStream* StreamTable::Add(uint32_t id) {
  if (streams_.size() >= kMaxOpen || !memory_.Take(kStreamBytes)) return nullptr;
  auto& stream = streams_[id];
  stream = std::make_unique<OpenStream>();
  stream->exchange.detail.emplace<HttpExchange>();
  return stream.get();
}

std::unique_ptr<OpenStream> StreamTable::Remove(uint32_t id) {
  const auto found = streams_.find(id);
  std::unique_ptr<OpenStream> stream = std::move(found->second);
  kept_bytes_ -= stream->kept_bytes;
  memory_.Give(kStreamBytes + stream->kept_bytes);
  streams_.erase(found);
  return stream;
}

bool StreamTable::Charge(OpenStream& stream, size_t bytes) {
  if (kept_bytes_ + bytes > kMaxKeptBytes || !memory_.Take(bytes)) return false;
  kept_bytes_ += bytes;
  stream.kept_bytes += bytes;
  return true;
}

std::vector<uint32_t> StreamTable::Ids() const {
  std::vector<uint32_t> ids;
  ids.reserve(streams_.size());
  for (const auto& [id, stream] : streams_) ids.push_back(id);
  std::ranges::sort(ids);
  return ids;
}

}  // namespace sonde::protocol::http2
