// SPDX-License-Identifier: Apache-2.0
// Metrics as Prometheus reads them: text format 0.0.4 and OpenMetrics 1.0 (which carries
// exemplars). Names follow OpenTelemetry's "Prometheus and OpenMetrics compatibility": dots become
// underscores, the unit is appended, counters end with _total. The service a series belongs to is
// its labels service_name, service_namespace and deployment_environment_name; the rest of its
// resource stands in target_info.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/metric.h"

namespace sonde::admin {

enum class Exposition : uint8_t { kText, kOpenMetrics };

// What a scraper wants, by its Accept header.
Exposition Negotiate(std::string_view accept);
const char* ContentType(Exposition format);

// `own`: families and labels whose names Prometheus does not admit are left out.
std::string Expose(const std::vector<MetricFamily>& own, const std::vector<ResourceMetrics>& traced,
                   Exposition format);

}  // namespace sonde::admin
