// SPDX-License-Identifier: Apache-2.0
#include "trace/gated_rule.h"

#include <cstdint>
#include <string>
#include <vector>

#include "sonde/base/metrics.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"

namespace sonde::trace {

GatedRule::GatedRule(LinkMethod method, MetricRegistry& metrics)
    : gates_closed_(metrics.AddCounter(
          "sonde_link_gates_closed_total",
          "Processes for which a linking rule was found unsafe and switched off.",
          {{"method", std::string(LinkMethodName(method))}})) {}

void GatedRule::OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) {
  closed_.erase(tgid);
  ForgetProcess(tgid, verdicts);
}

void GatedRule::CloseGate(uint32_t tgid, std::vector<Verdict>& verdicts) {
  ForgetProcess(tgid, verdicts);
  closed_.insert(tgid);
  gates_closed_.Add();
}

}  // namespace sonde::trace
