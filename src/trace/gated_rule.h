// SPDX-License-Identifier: Apache-2.0
// A rule that switches itself off, for good, in a process in which it sees that it would be wrong.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <vector>

#include "sonde/base/metrics.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"

namespace sonde::trace {

// Memory: one entry per process with its gate closed.
class GatedRule : public LinkRule {
 public:
  bool IsClosed(uint32_t tgid) const final { return closed_.contains(tgid); }
  void OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) final;

 protected:
  // sonde_link_gates_closed_total{method} counts.
  GatedRule(LinkMethod method, MetricRegistry& metrics);

  // Until the process exits; what is known of it is forgotten.
  void CloseGate(uint32_t tgid, std::vector<Verdict>& verdicts);

 private:
  // Gives the verdicts that calls of this process wait for, and frees what is kept of it.
  virtual void ForgetProcess(uint32_t tgid, std::vector<Verdict>& verdicts) = 0;

  absl::flat_hash_set<uint32_t> closed_;
  Counter& gates_closed_;
};

}  // namespace sonde::trace
