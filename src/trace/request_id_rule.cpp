// SPDX-License-Identifier: Apache-2.0
#include "trace/request_id_rule.h"

#include <absl/hash/hash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_rule.h"

namespace sonde::trace {

uint64_t RequestIdRule::IdOf(const HttpRequest& request) {
  constexpr size_t kShortest = 16;
  constexpr size_t kLongest = 256;
  for (const std::string_view name :
       {"x-request-id", "x-correlation-id", "x-amzn-trace-id", "x-cloud-trace-context"}) {
    const auto header = std::ranges::find(request.headers, name, &HttpHeader::name);
    if (header == request.headers.end()) continue;
    const size_t size = header->value.size();
    if (size < kShortest || size > kLongest) continue;
    return std::max<uint64_t>(absl::HashOf(name, header->value), 1);
  }
  return 0;
}

void RequestIdRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (fact.request_id == 0) return;
  Process& process = processes_[fact.last_by.tgid];
  process.calls.RequestBegins(fact.id);
  const bool again = process.came_with.Find(fact.request_id) != nullptr;
  process.came_with.Put(fact.request_id, again ? 0 : fact.id);
}

bool RequestIdRule::OnCallSent(const RequestFact& fact) {
  const auto process = processes_.find(fact.first_by.tgid);
  if (fact.request_id == 0 || process == processes_.end()) return false;
  const ExchangeId* request = process->second.came_with.Find(fact.request_id);
  PendingCalls& calls = process->second.calls;
  if (request == nullptr || !calls.IsOpen(*request) || !calls.CallBegins(fact.id)) return false;
  calls.Assign(fact.id, *request);
  return true;
}

void RequestIdRule::OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) {
  const auto process = processes_.find(fact.requested_by.tgid);
  if (process != processes_.end()) {
    process->second.calls.RequestEnds(fact.id, fact.complete, verdicts);
  }
}

void RequestIdRule::OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) {
  const auto process = processes_.find(tgid);
  if (process == processes_.end()) return;
  process->second.calls.Clear(verdicts);
  processes_.erase(process);
}

}  // namespace sonde::trace
