// SPDX-License-Identifier: Apache-2.0
#include "trace/told_streams.h"

#include <cstdint>
#include <optional>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/link_rule.h"

namespace sonde::trace {

ToldStreams::Keys ToldStreams::KeysOf(const RequestFact& fact) {
  Keys keys = {Key{Of::kConnection, fact.connection, fact.stream}};
  if (fact.last_by.id != 0) keys.push_back({Of::kExecution, fact.last_by.id, fact.stream});
  return keys;
}

// Of socket and text, only one carries HTTP/2.
ToldStreams::Keys ToldStreams::KeysOf(const ExecutionEvent& event) {
  const auto stream = static_cast<uint32_t>(event.counter);
  if (event.connection == 0) return {Key{Of::kExecution, event.from, stream}};
  return {Key{Of::kConnection, event.connection, stream}, Key{Of::kConnection, event.from, stream}};
}

std::optional<ToldStreams::Worker> ToldStreams::Opens(const RequestFact& fact) {
  std::optional<Worker> told;
  for (const Key& key : KeysOf(fact)) {
    open_[key] = fact.id;
    if (const Worker* worker = early_.Find(key)) {
      told = *worker;
      early_.Erase(key);
    }
  }
  return told;
}

void ToldStreams::Ends(const RequestFact& fact) {
  for (const Key& key : KeysOf(fact)) open_.erase(key);
}

ExchangeId ToldStreams::Serves(const ExecutionEvent& event) {
  const Keys keys = KeysOf(event);
  for (const Key& key : keys) {
    if (const auto found = open_.find(key); found != open_.end()) return found->second;
  }
  for (const Key& key : keys) early_.Put(key, {event.to, event.mono_ns});
  return 0;
}

void ToldStreams::Calls(const ExecutionEvent& event) {
  callers_.Put({Of::kExecution, event.from, static_cast<uint32_t>(event.counter)}, event.to);
  writers_.Put(event.from, true);
}

ToldStreams::ExecutionId ToldStreams::Caller(const RequestFact& call) {
  const Key key{Of::kExecution, call.first_by.id, call.stream};
  if (const ExecutionId* found = callers_.Find(key)) {
    const ExecutionId caller = *found;
    callers_.Erase(key);
    return caller;
  }
  return writers_.Find(call.first_by.id) != nullptr ? 0 : call.first_by.id;
}

}  // namespace sonde::trace
