// SPDX-License-Identifier: Apache-2.0
// What every parser owes its sink, whatever bytes it was given; for the fuzz harnesses.
#pragma once

#include <map>

#include "sonde/pipeline/exchange.h"
#include "support/conversation.h"
#include "support/fuzz_input.h"

namespace sonde::testing {

// Every id is started once, answered at most once and ended once, in this order.
inline void RequireContract(const CollectingSink& sink) {
  std::map<ExchangeId, int> started;
  for (const auto& start : sink.starts) Require(++started[start.id] == 1);
  std::map<ExchangeId, int> answered;
  for (const auto& [id, span] : sink.responses) {
    Require(started.contains(id) && ++answered[id] == 1 && span.seen);
  }
  std::map<ExchangeId, int> ended;
  for (const Exchange& exchange : sink.exchanges) {
    Require(exchange.id != 0 && ++ended[exchange.id] == 1);
    Require(started.contains(exchange.id) == exchange.request.seen);
    Require(answered.contains(exchange.id) == exchange.response.seen);
    Require(exchange.request.seen || exchange.response.seen);
    for (const MessageSpan* span : {&exchange.request, &exchange.response}) {
      if (!span->seen) continue;
      Require(span->first_mono_ns <= span->last_mono_ns && span->wire_bytes > 0);
    }
  }
  Require(ended.size() == started.size());
}

}  // namespace sonde::testing
