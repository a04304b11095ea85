// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/reader_set.h"

#include <absl/status/status.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exporter/file/metric_file_exporter.h"
#include "exporter/metrics/periodic_reader.h"
#include "exporter/otlp/metric_exporter.h"
#include "sonde/base/component_names.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {
namespace {

Result<std::unique_ptr<MetricExporter>> CreateExporter(const MetricReaderOptions& options) {
  const ExporterOptions& exporter = options.exporter;
  switch (exporter.kind) {
    case ExporterKind::kOtlp:
      return OtlpMetricExporter::Create(exporter.otlp, options.exponential);
    case ExporterKind::kFile:
      return MetricFileExporter::Create({.path = exporter.target,
                                         .max_bytes = exporter.max_file_bytes,
                                         .max_files = exporter.max_files},
                                        options.exponential);
    case ExporterKind::kConsole:
      return MetricFileExporter::Create({.path = "-"}, options.exponential);
    case ExporterKind::kZipkin:
    case ExporterKind::kKafka:
    case ExporterKind::kNone:
      break;
  }
  return absl::InvalidArgumentError("metrics go to an OTLP receiver, a file or the console");
}

}  // namespace

Result<std::unique_ptr<ReaderSet>> ReaderSet::Create(
    const std::vector<MetricReaderOptions>& options, const MetricSources& sources,
    MetricRegistry& metrics) {
  // All of them, before the first one starts.
  std::vector<std::unique_ptr<MetricExporter>> exporters;
  for (const MetricReaderOptions& each : options) {
    auto exporter = CreateExporter(each);
    if (!exporter.ok()) return exporter.status();
    exporters.push_back(*std::move(exporter));
  }
  auto set = std::make_unique<ReaderSet>();
  ComponentNames names;
  for (size_t i = 0; i < exporters.size(); ++i) {
    std::string label = names.Next(exporters[i]->name());
    set->readers_.push_back(std::make_unique<PeriodicReader>(
        std::move(exporters[i]), std::move(label), options[i], sources, metrics));
  }
  return set;
}

void ReaderSet::BeginShutdown(std::chrono::steady_clock::time_point deadline) {
  for (const auto& reader : readers_) reader->BeginShutdown(deadline);
}

void ReaderSet::FinishShutdown() {
  for (const auto& reader : readers_) reader->FinishShutdown();
}

}  // namespace sonde::exporter
