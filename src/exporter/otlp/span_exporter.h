// SPDX-License-Identifier: Apache-2.0
// Spans over OTLP.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <utility>

#include "exporter/otlp/json_encoder.h"
#include "exporter/otlp/protobuf_encoder.h"
#include "exporter/otlp/sender.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class OtlpSpanExporter final : public SpanExporter {
 public:
  static Result<std::unique_ptr<SpanExporter>> Create(const OtlpOptions& options);

  const char* name() const override { return "otlp"; }
  ExportOutcome Export(std::span<const Span> batch,
                       std::chrono::steady_clock::time_point deadline) override;
  void Cancel() override { sender_->Cancel(); }

 private:
  OtlpSpanExporter(std::unique_ptr<OtlpSender> sender, bool json)
      : sender_(std::move(sender)), json_(json) {}

  const std::unique_ptr<OtlpSender> sender_;
  const bool json_;
  JsonEncoder json_encoder_;
  ProtobufEncoder protobuf_encoder_;
};

}  // namespace sonde::exporter
