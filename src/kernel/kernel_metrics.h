// SPDX-License-Identifier: Apache-2.0
// What the kernel side counts, as self-metrics: drops by reason, quiet calls, ring fill, program
// run time, family states.
#pragma once

#include <memory>
#include <vector>

#include "kernel/family_choice.h"
#include "kernel/loaded_family.h"
#include "kernel/shared_maps.h"
#include "sonde/base/metrics.h"

namespace sonde::kernel {

void ExportKernelMetrics(const std::shared_ptr<SharedMaps>& maps,
                         const std::vector<std::unique_ptr<LoadedFamily>>& loaded,
                         const std::vector<FamilyState>& states, MetricRegistry& metrics);

}  // namespace sonde::kernel
