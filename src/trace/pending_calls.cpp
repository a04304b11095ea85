// SPDX-License-Identifier: Apache-2.0
#include "trace/pending_calls.h"

#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_rule.h"

namespace sonde::trace {

void PendingCalls::RequestEnds(ExchangeId request, bool complete, std::vector<Verdict>& verdicts) {
  open_.erase(request);
  if (const auto found = calls_.find(request); found != calls_.end()) {
    for (const ExchangeId call : found->second) {
      // What was refused or given to another meanwhile is not its own any more.
      const auto assigned = assigned_.find(call);
      if (assigned != assigned_.end() && assigned->second == request) {
        assigned_.erase(assigned);
        verdicts.push_back({.call = call, .server = complete ? request : 0});
      }
    }
    calls_.erase(found);
  }
  GiveUp(verdicts);
}

bool PendingCalls::CallBegins(ExchangeId call) {
  if (open_.empty() || *open_.begin() > call || waiting() >= kMaxCalls) return false;
  free_.insert(call);
  return true;
}

void PendingCalls::Assign(ExchangeId call, ExchangeId request) {
  if (free_.erase(call) == 0) return;
  assigned_[call] = request;
  calls_[request].push_back(call);
}

void PendingCalls::Reassign(ExchangeId call, ExchangeId request) {
  if (assigned_.erase(call) == 0) return;
  free_.insert(call);
  Assign(call, request);
}

std::vector<ExchangeId> PendingCalls::CallsOf(ExchangeId request) const {
  std::vector<ExchangeId> calls;
  const auto found = calls_.find(request);
  if (found == calls_.end()) return calls;
  for (const ExchangeId call : found->second) {
    if (AssignedTo(call) == request) calls.push_back(call);
  }
  return calls;
}

void PendingCalls::Refuse(ExchangeId call, std::vector<Verdict>& verdicts) {
  if (free_.erase(call) + assigned_.erase(call) > 0) verdicts.push_back({.call = call});
}

ExchangeId PendingCalls::AssignedTo(ExchangeId call) const {
  const auto found = assigned_.find(call);
  return found == assigned_.end() ? 0 : found->second;
}

void PendingCalls::Clear(std::vector<Verdict>& verdicts) {
  for (const ExchangeId call : free_) verdicts.push_back({.call = call});
  for (const auto& [call, request] : assigned_) verdicts.push_back({.call = call});
  open_.clear();
  free_.clear();
  assigned_.clear();
  calls_.clear();
}

void PendingCalls::GiveUp(std::vector<Verdict>& verdicts) {
  const ExchangeId oldest = open_.empty() ? ~ExchangeId{0} : *open_.begin();
  while (!free_.empty() && *free_.begin() < oldest) {
    verdicts.push_back({.call = *free_.begin()});
    free_.erase(free_.begin());
  }
}

}  // namespace sonde::trace
