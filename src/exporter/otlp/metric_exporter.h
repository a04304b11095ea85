// SPDX-License-Identifier: Apache-2.0
// Metrics over OTLP.
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include "exporter/otlp/metric_json_encoder.h"
#include "exporter/otlp/metric_protobuf_encoder.h"
#include "exporter/otlp/sender.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

class OtlpMetricExporter final : public MetricExporter {
 public:
  static Result<std::unique_ptr<MetricExporter>> Create(const OtlpOptions& options,
                                                        bool exponential);

  const char* name() const override { return "otlp"; }
  ExportOutcome Export(const MetricBatch& batch,
                       std::chrono::steady_clock::time_point deadline) override;
  void Cancel() override { sender_->Cancel(); }

 private:
  OtlpMetricExporter(std::unique_ptr<OtlpSender> sender, bool json, bool exponential)
      : sender_(std::move(sender)), json_(json), exponential_(exponential) {}

  const std::unique_ptr<OtlpSender> sender_;
  const bool json_;
  const bool exponential_;
  MetricJsonEncoder json_encoder_;
  MetricProtobufEncoder protobuf_encoder_;
};

}  // namespace sonde::exporter
