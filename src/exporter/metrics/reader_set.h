// SPDX-License-Identifier: Apache-2.0
// The readers of meter_provider, each with its exporter.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "exporter/metrics/periodic_reader.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::exporter {

class ReaderSet {
 public:
  // Refuses exporters that cannot be (kInvalidArgument). What `sources` names and `metrics` outlive
  // it.
  static Result<std::unique_ptr<ReaderSet>> Create(const std::vector<MetricReaderOptions>& options,
                                                   const MetricSources& sources,
                                                   MetricRegistry& metrics);

  // Drain thread. A last push of every reader, until `deadline`.
  void BeginShutdown(std::chrono::steady_clock::time_point deadline);
  void FinishShutdown();

 private:
  std::vector<std::unique_ptr<PeriodicReader>> readers_;
};

}  // namespace sonde::exporter
