// SPDX-License-Identifier: Apache-2.0
#include "metrics/span_facts.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/span.h"

namespace sonde::metrics {
namespace {

constexpr std::array<std::string_view, kFacts> kKeys{"error.type",
                                                     "http.request.method",
                                                     "http.route",
                                                     "http.response.status_code",
                                                     "url.scheme",
                                                     "network.protocol.version",
                                                     "server.address",
                                                     "server.port",
                                                     "rpc.system.name",
                                                     "rpc.method",
                                                     "rpc.response.status_code",
                                                     "http.request.body.size",
                                                     "http.response.body.size",
                                                     "peer.service",
                                                     "db.namespace",
                                                     "db.system.name",
                                                     "messaging.system"};

// Names of dimensions become keys of attributes, which live as long as the process.
std::string_view Intern(const std::string& name) {
  static std::mutex mutex;
  static std::deque<std::string> names;
  const std::lock_guard lock(mutex);
  const auto found = std::ranges::find(names, name);
  return found != names.end() ? *found : names.emplace_back(name);
}

}  // namespace

std::string_view KeyOf(Fact fact) { return kKeys.at(static_cast<size_t>(fact)); }

SpanFacts::SpanFacts(const std::vector<std::string>& dimensions) {
  for (size_t i = 0; i < kFacts; ++i) slots_[kKeys.at(i)] = static_cast<uint8_t>(i);
  for (const std::string& name : dimensions) {
    if (kFacts + dimensions_.size() >= kUnwanted) break;
    dimensions_.push_back(Intern(name));
  }
  found_.resize(kFacts + dimensions_.size());
}

uint8_t SpanFacts::SlotOf(std::string_view key) {
  // Fibonacci hashing of the address: the high bits are well mixed.
  const uint64_t mixed = reinterpret_cast<uintptr_t>(key.data()) * 0x9e3779b97f4a7c15;
  Remembered& entry = remembered_[mixed >> 56];
  if (entry.key == key.data() && entry.length == key.size()) return entry.slot;
  const auto found = slots_.find(key);
  entry = {key.data(), key.size(), found == slots_.end() ? kUnwanted : found->second};
  return entry.slot;
}

void SpanFacts::Read(const Span& span) {
  std::ranges::fill(found_, nullptr);
  for (const Attribute& attribute : span.attributes) {
    const uint8_t slot = SlotOf(attribute.key);
    if (slot != kUnwanted) found_[slot] = &attribute.value;
  }
  for (size_t i = 0; i < dimensions_.size(); ++i) {
    const AttributeValue*& value = found_[kFacts + i];
    value = FindAttribute(span.attributes, dimensions_[i]);
    if (value == nullptr && span.resource != nullptr) {
      value = FindAttribute(span.resource->attributes, dimensions_[i]);
    }
  }
}

}  // namespace sonde::metrics
