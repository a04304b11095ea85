// SPDX-License-Identifier: Apache-2.0
// Each request to an API is counted by what was asked and what came of it.
#pragma once

#include <string>

#include "kubernetes/api_client.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"

namespace sonde::kubernetes {

// `verb`: list, watch, get; `resource`: pods, replicasets ..., kubelet_pods.
inline void CountRequest(MetricRegistry& metrics, const std::string& verb,
                         const std::string& resource, const Status& status) {
  metrics
      .AddCounter("sonde_kubernetes_requests_total", "Requests to the Kubernetes API, by answer",
                  {{"verb", verb}, {"resource", resource}, {"result", ResultName(status)}})
      .Add();
}

inline Counter& Dropped(MetricRegistry& metrics, const char* reason) {
  return metrics.AddCounter("sonde_kubernetes_dropped_total",
                            "Parts of what the Kubernetes API told that were lost",
                            {{"reason", reason}});
}

}  // namespace sonde::kubernetes
