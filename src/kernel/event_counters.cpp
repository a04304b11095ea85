// SPDX-License-Identifier: Apache-2.0
#include "kernel/event_counters.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "kernel/decode.h"
#include "sonde/abi/record.h"
#include "sonde/base/metrics.h"

namespace sonde::kernel {
namespace {

constexpr char kDropped[] = "sonde_events_dropped_total";
constexpr char kDroppedHelp[] = "Events and bytes that were given up, by reason.";

}  // namespace

EventCounters::EventCounters(MetricRegistry& metrics)
    : invalid_(metrics.AddCounter(kDropped, kDroppedHelp, {{"reason", "invalid_record"}})),
      unknown_(metrics.AddCounter(kDropped, kDroppedHelp, {{"reason", "unknown_record"}})) {
  constexpr std::pair<size_t, const char*> kNames[] = {
      {SONDE_RECORD_DATA, "data"},          {SONDE_RECORD_OPEN, "open"},
      {SONDE_RECORD_SHUTDOWN, "shutdown"},  {SONDE_RECORD_FORK, "fork"},
      {SONDE_RECORD_EXEC, "exec"},          {SONDE_RECORD_EXIT, "exit"},
      {SONDE_RECORD_LISTEN, "listen"},      {SONDE_RECORD_MAPPED, "mapped"},
      {SONDE_RECORD_EXECUTION, "execution"}};
  for (const auto& [type, name] : kNames) {
    by_type_[type] = &metrics.AddCounter("sonde_events_total",
                                         "Records from the kernel side by type.", {{"type", name}});
  }
}

void EventCounters::Count(std::string_view record, DecodeOutcome outcome) {
  if (outcome == DecodeOutcome::kInvalid) {
    invalid_.Add();
    return;
  }
  uint16_t type = 0;  // the header's first field; Decode has seen a whole header
  std::memcpy(&type, record.data(), sizeof(type));
  Counter* counter = type < by_type_.size() ? by_type_[type] : nullptr;
  (counter != nullptr ? *counter : unknown_).Add();
}

}  // namespace sonde::kernel
