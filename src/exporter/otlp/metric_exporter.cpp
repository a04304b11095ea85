// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/metric_exporter.h"

#include <absl/memory/memory.h>

#include <chrono>
#include <memory>
#include <utility>

#include "exporter/otlp/sender.h"
#include "exporter/otlp/signal.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

Result<std::unique_ptr<MetricExporter>> OtlpMetricExporter::Create(const OtlpOptions& options,
                                                                   bool exponential) {
  auto sender = OtlpSender::Create(options, Signal::kMetrics);
  if (!sender.ok()) return sender.status();
  const bool json = options.protocol == OtlpProtocol::kHttpJson;
  return absl::WrapUnique(new OtlpMetricExporter(*std::move(sender), json, exponential));
}

ExportOutcome OtlpMetricExporter::Export(const MetricBatch& batch,
                                         std::chrono::steady_clock::time_point deadline) {
  return sender_->Send(json_ ? json_encoder_.Encode(batch, exponential_)
                             : protobuf_encoder_.Encode(batch, exponential_),
                       deadline);
}

}  // namespace sonde::exporter
