// SPDX-License-Identifier: Apache-2.0
// The value types that OpenTelemetry's declarative configuration gives a shape of its own: sampler,
// propagator, span processors and metric readers with their exporters.
#pragma once

#include <vector>

#include "config/key.h"
#include "config/key_types.h"
#include "sonde/config/config.h"

namespace sonde::config {

// `sampler`: always_on, always_off, trace_id_ratio_based, parent_based; OTEL_TRACES_SAMPLER.
TypePtr SamplerValue(Member<SamplerOptions> member);
// OTEL_TRACES_SAMPLER_ARG, which has no key of its own.
TypePtr SamplerArgument();
// `composite` and OTEL_PROPAGATORS; `composite_list` adds what is missing.
TypePtr PropagatorList();
TypePtr PropagatorText();
// `processors`.
TypePtr ProcessorList();
// `readers` of the meter provider.
TypePtr MetricReaderList();
// Policies of tail sampling, as the Collector's processor takes them.
TypePtr TailPolicyList();
// Boundaries of duration histograms, in seconds.
TypePtr BucketList(Member<std::vector<double>> member);

}  // namespace sonde::config
