// SPDX-License-Identifier: Apache-2.0
// OTLP over HTTP: protobuf or JSON bodies.
#pragma once

#include <chrono>
#include <memory>
#include <span>

#include "exporter/http_client.h"
#include "exporter/otlp/json_encoder.h"
#include "exporter/otlp/protobuf_encoder.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class OtlpHttpExporter final : public SpanExporter {
 public:
  static Result<std::unique_ptr<SpanExporter>> Create(const OtlpOptions& options);

  const char* name() const override { return "otlp"; }
  ExportOutcome Export(std::span<const Span> batch,
                       std::chrono::steady_clock::time_point deadline) override;
  void Cancel() override { client_->Cancel(); }

 private:
  OtlpHttpExporter(std::unique_ptr<HttpClient> client, bool json, Milliseconds timeout)
      : client_(std::move(client)), json_(json), timeout_(timeout) {}

  const std::unique_ptr<HttpClient> client_;
  const bool json_;
  const Milliseconds timeout_;
  JsonEncoder json_encoder_;
  ProtobufEncoder protobuf_encoder_;
};

}  // namespace sonde::exporter
