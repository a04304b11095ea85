// SPDX-License-Identifier: Apache-2.0
// From configuration to exporters: the one place that knows every kind.
#include <absl/status/status.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/back_off.h"
#include "exporter/batch_processor.h"
#include "exporter/console/console_exporter.h"
#include "exporter/exporter_set.h"
#include "exporter/file/file_exporter.h"
#include "exporter/kafka/kafka_exporter.h"
#include "exporter/otlp/span_exporter.h"
#include "exporter/queue/queue_directory.h"
#include "exporter/queue/spool.h"
#include "exporter/zipkin/zipkin_exporter.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {
namespace {

// A person waits for the console; the batches of other exporters beside it are as small, and fuller
// ones are not worth it.
constexpr Milliseconds kConsoleDelay{100};

// Those that send over a network; a file or a terminal gains nothing from a file before it.
bool WantsSpool(const SpanExporter& exporter) {
  const std::string_view name = exporter.name();
  return name == "otlp" || name == "zipkin" || name == "kafka";
}

// Null if no queues on disk are asked for.
Result<std::unique_ptr<QueueDirectory>> OpenQueues(const QueueOptions& options,
                                                   std::vector<Destination>& destinations,
                                                   MetricRegistry& metrics) {
  if (options.directory.empty()) return nullptr;
  auto directory = QueueDirectory::Lock(options.directory);
  if (!directory.ok()) return directory.status();
  for (Destination& destination : destinations) {
    if (!WantsSpool(*destination.exporter)) continue;
    auto spool =
        Spool::Open((*directory)->PathFor(destination.label), options, destination.label, metrics);
    if (!spool.ok()) return spool.status();
    destination.spool = *std::move(spool);
  }
  return directory;
}

}  // namespace

Result<std::unique_ptr<SpanExporter>> CreateExporter(const ExporterOptions& options) {
  switch (options.kind) {
    case ExporterKind::kConsole:
      return std::make_unique<ConsoleExporter>(options.console_format, STDOUT_FILENO);
    case ExporterKind::kFile:
      return FileExporter::Create({.path = options.target,
                                   .max_bytes = options.max_file_bytes,
                                   .max_files = options.max_files});
    case ExporterKind::kOtlp:
      return OtlpSpanExporter::Create(options.otlp);
    case ExporterKind::kZipkin:
      return ZipkinExporter::Create(options.target);
    case ExporterKind::kKafka:
      return KafkaExporter::Create(options.kafka);
    case ExporterKind::kNone:
      break;
  }
  return absl::InvalidArgumentError("exporter 'none' exports nothing");
}

Result<std::unique_ptr<ExporterSet>> CreateExporters(const Config& config,
                                                     MetricRegistry& metrics) {
  std::vector<std::unique_ptr<SpanExporter>> exporters;
  BatchOptions batch = config.batch;
  for (const ExporterOptions& options : config.exporters) {
    if (options.kind == ExporterKind::kNone) continue;
    if (options.kind == ExporterKind::kConsole)
      batch.schedule_delay = std::min(batch.schedule_delay, kConsoleDelay);
    auto exporter = CreateExporter(options);
    if (!exporter.ok()) return exporter.status();
    exporters.push_back(*std::move(exporter));
  }
  std::vector<Destination> destinations = Labelled(std::move(exporters));
  auto queues = OpenQueues(config.queue, destinations, metrics);
  if (!queues.ok()) return queues.status();
  return std::make_unique<ExporterSet>(std::move(destinations), batch, metrics, RetryOptions(),
                                       *std::move(queues));
}

}  // namespace sonde::exporter
