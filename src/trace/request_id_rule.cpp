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

uint64_t RequestIdRule::KeyOf(uint32_t tgid, uint64_t request_id) {
  return absl::HashOf(tgid, request_id);
}

void RequestIdRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (fact.request_id == 0) return;
  const uint32_t tgid = fact.last_by.tgid;
  calls_[tgid].RequestBegins(fact.id);
  const uint64_t key = KeyOf(tgid, fact.request_id);
  const bool again = came_with_.Find(key) != nullptr;
  came_with_.Put(key, again ? 0 : fact.id);
}

bool RequestIdRule::OnCallSent(const RequestFact& fact) {
  if (fact.request_id == 0) return false;
  const uint32_t tgid = fact.first_by.tgid;
  const auto calls = calls_.find(tgid);
  const ExchangeId* request = came_with_.Find(KeyOf(tgid, fact.request_id));
  if (calls == calls_.end() || request == nullptr || !calls->second.IsOpen(*request)) return false;
  if (!calls->second.CallBegins(fact.id)) return false;
  calls->second.Assign(fact.id, *request);
  return true;
}

void RequestIdRule::OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) {
  const auto calls = calls_.find(fact.requested_by.tgid);
  if (calls != calls_.end()) calls->second.RequestEnds(fact.id, fact.complete, verdicts);
}

void RequestIdRule::OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) {
  const auto calls = calls_.find(tgid);
  if (calls == calls_.end()) return;
  calls->second.Clear(verdicts);
  calls_.erase(calls);
}

}  // namespace sonde::trace
