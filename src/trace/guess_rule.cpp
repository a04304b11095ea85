// SPDX-License-Identifier: Apache-2.0
#include "trace/guess_rule.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_rule.h"

namespace sonde::trace {

void GuessRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (fact.last_by.tgid != 0) processes_[fact.last_by.tgid].RequestBegins(fact.id);
}

bool GuessRule::OnCallSent(const RequestFact& fact) {
  const auto process = processes_.find(fact.first_by.tgid);
  if (process == processes_.end()) return false;
  const ExchangeId request = process->second.OnlyOpen();
  if (request == 0 || !process->second.CallBegins(fact.id)) return false;
  process->second.Assign(fact.id, request);
  return true;
}

void GuessRule::OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) {
  const auto process = processes_.find(fact.requested_by.tgid);
  if (process == processes_.end()) return;
  const size_t before = verdicts.size();
  process->second.RequestEnds(fact.id, fact.complete, verdicts);
  for (size_t i = before; i < verdicts.size(); ++i) verdicts[i].confidence = kConfidence;
}

void GuessRule::OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) {
  const auto process = processes_.find(tgid);
  if (process == processes_.end()) return;
  process->second.Clear(verdicts);
  processes_.erase(process);
}

}  // namespace sonde::trace
