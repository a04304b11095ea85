// SPDX-License-Identifier: Apache-2.0
// Who passes a request's id on (X-Request-ID, X-Correlation-ID, and what load balancers of clouds
// give: X-Amzn-Trace-Id, X-Cloud-Trace-Context) says whose call it is: proxies such as Envoy and
// Apache, and programs that hand it through for their logs. Not every program: many make an id of
// their own for each call, which says nothing.
//
// An id counts if exactly one request of the process has ever come with it, as far back as is
// remembered, and that is still open. What stands for a session, or came again, names nobody.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"
#include "trace/pending_calls.h"
#include "trace/recent_map.h"

namespace sonde::trace {

class RequestIdRule : public LinkRule {
 public:
  // A number for the id in these headers: 0 if there is none, or it is shorter than what is made
  // for one request alone (16 bytes), or longer than 256.
  static uint64_t IdOf(const HttpRequest& request);

  LinkMethod method() const override { return LinkMethod::kRequestId; }
  bool Serves(RuntimeKind /*runtime*/) const override { return true; }
  void OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) override;
  void OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) override;
  bool OnCallSent(const RequestFact& fact) override;
  void OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) override;

  // Ids of all processes, two generations: some 4 MB.
  static constexpr size_t kRemembered = 65'536;

 private:
  // Of a process.
  static uint64_t KeyOf(uint32_t tgid, uint64_t request_id);

  absl::flat_hash_map<uint32_t, PendingCalls> calls_;       // by process
  RecentMap<uint64_t, ExchangeId> came_with_{kRemembered};  // 0: more than one request
};

}  // namespace sonde::trace
