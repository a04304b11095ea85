// SPDX-License-Identifier: Apache-2.0
#include "protocol/http1/match.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {

OpenExchange& Matcher::Prepare() {
  if (!spare_) spare_ = std::make_unique<OpenExchange>();
  *spare_ = OpenExchange();
  spare_->exchange.detail.emplace<HttpExchange>();
  return *spare_;
}

OpenExchange& Matcher::Push() {
  open_.push_back(std::move(spare_));
  return *open_.back();
}

Matcher::Answer Matcher::ForResponse(const Mark& first, Before before, uint64_t missed_until_ns,
                                     bool requests_missed) {
  if (orphans_ > 0 && (open_.empty() || !open_.front()->response_started)) {
    --orphans_;
    return {.verdict = Verdict::kDrop};
  }
  if (open_.empty()) return {.verdict = Verdict::kWait};
  // Requests that were there before the response began; one that came later proves nothing.
  size_t earlier = 1;
  while (earlier < open_.size() &&
         open_[earlier]->exchange.request.first_mono_ns <= first.mono_ns) {
    ++earlier;
  }
  size_t index = 0;
  if (earlier > 1) {
    const bool unclear = before == Before::kUnknown && !pipelined_;
    if (unclear || (before == Before::kHole && pipelined_)) return {.verdict = Verdict::kGiveUp};
    if (before == Before::kHole) {
      // A client that does not pipeline had its earlier answers, in the bytes that were missed.
      index = earlier - 1;
    } else {
      pipelined_ = true;
    }
  }
  OpenExchange& candidate = *open_[index];
  const uint64_t asked_ns = candidate.exchange.request.first_mono_ns;
  // An answer that is older than its request belongs to one that was missed, as when a connection
  // is first seen between the two.
  if ((candidate.after_hole || before != Before::kContiguous) && first.mono_ns < asked_ns) {
    return {.verdict = Verdict::kDrop};
  }
  // The answer itself may have been missed, and with it a request that this one answers: losses
  // come in bursts, and hit both directions.
  const bool answered = (before == Before::kHole && missed_until_ns >= asked_ns) ||
                        (before == Before::kUnknown && requests_missed);
  if (answered && !candidate.response_started) {
    return {.verdict = Verdict::kDrop, .unanswered = earlier};
  }
  return {.verdict = Verdict::kPair, .exchange = &candidate, .unanswered = index};
}

Exchange Matcher::Remove(size_t index) {
  Exchange exchange = std::move(open_[index]->exchange);
  if (!spare_) spare_ = std::move(open_[index]);  // else one is being filled
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
  return exchange;
}

size_t Matcher::IndexOf(const OpenExchange* exchange) const {
  size_t index = 0;
  while (index < open_.size() && open_[index].get() != exchange) ++index;
  return index;
}

}  // namespace sonde::protocol::http1
