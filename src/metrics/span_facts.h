// SPDX-License-Identifier: Apache-2.0
// The attributes of a span that metrics are made of, found in one walk. Attribute keys are literals
// or interned, so that an address seen before needs no comparison of text. Drain thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/span.h"

namespace sonde::metrics {

enum class Fact : uint8_t {
  kErrorType,
  kHttpMethod,
  kHttpRoute,
  kHttpStatus,
  kUrlScheme,
  kProtocolVersion,
  kServerAddress,
  kServerPort,
  kRpcSystem,
  kRpcMethod,
  kRpcStatus,
  kRequestBody,
  kResponseBody,
  kPeerService,
  kDbNamespace,
  kDbSystem,
  kMessagingSystem,
};
inline constexpr size_t kFacts = 17;
// The attribute that the fact is, and that metrics call it by.
std::string_view KeyOf(Fact fact);

class SpanFacts {
 public:
  // `dimensions`: more attributes that are wanted.
  explicit SpanFacts(const std::vector<std::string>& dimensions);

  // Valid as long as the span is unchanged.
  void Read(const Span& span);
  const AttributeValue* operator[](Fact fact) const { return found_[static_cast<size_t>(fact)]; }
  // Of the span, else of its resource. Null: not there.
  const AttributeValue* dimension(size_t i) const { return found_[kFacts + i]; }
  // Names live as long as the process.
  const std::vector<std::string_view>& dimensions() const { return dimensions_; }

 private:
  static constexpr uint8_t kUnwanted = 255;
  struct Remembered {
    const char* key = nullptr;
    size_t length = 0;
    uint8_t slot = kUnwanted;
  };
  uint8_t SlotOf(std::string_view key);

  std::vector<std::string_view> dimensions_;
  absl::flat_hash_map<std::string_view, uint8_t> slots_;
  std::array<Remembered, 256> remembered_{};
  std::vector<const AttributeValue*> found_;
};

}  // namespace sonde::metrics
