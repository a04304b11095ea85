// SPDX-License-Identifier: Apache-2.0
#include "trace/link_rule.h"

#include <string>

#include "sonde/base/metrics.h"
#include "trace/link_method.h"

namespace sonde::trace {

Counter& GatesClosed(LinkMethod method, MetricRegistry& metrics) {
  return metrics.AddCounter("sonde_link_gates_closed_total",
                            "Processes for which a linking rule was found unsafe and switched off.",
                            {{"method", std::string(LinkMethodName(method))}});
}

}  // namespace sonde::trace
