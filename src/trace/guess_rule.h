// SPDX-License-Identifier: Apache-2.0
// What is likely and not certain: a call that was made while exactly one request of its process was
// open is probably that request's (right in all runs of evidence/linking.md, T4u, but a timer's
// call is guessed just the same). Never a parent: a span link with sonde.link.confidence, if
// sonde.linking.guesses is on.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"
#include "trace/pending_calls.h"

namespace sonde::trace {

class GuessRule : public LinkRule {
 public:
  static constexpr double kConfidence = 0.9;

  LinkMethod method() const override { return LinkMethod::kNone; }
  bool Serves(RuntimeKind /*runtime*/) const override { return false; }
  void OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) override;
  void OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) override;
  bool OnCallSent(const RequestFact& fact) override;
  void OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) override;

 private:
  absl::flat_hash_map<uint32_t, PendingCalls> processes_;
};

}  // namespace sonde::trace
