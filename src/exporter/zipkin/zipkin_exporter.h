// SPDX-License-Identifier: Apache-2.0
// Zipkin v2 JSON over HTTP. A URL without a path gets Zipkin's own, /api/v2/spans.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "exporter/http_client.h"
#include "exporter/zipkin/zipkin_encoder.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class ZipkinExporter final : public SpanExporter {
 public:
  static Result<std::unique_ptr<SpanExporter>> Create(const std::string& url);

  const char* name() const override { return "zipkin"; }
  ExportOutcome Export(std::span<const Span> batch,
                       std::chrono::steady_clock::time_point deadline) override;
  void Cancel() override { client_->Cancel(); }

 private:
  explicit ZipkinExporter(std::unique_ptr<HttpClient> client) : client_(std::move(client)) {}

  const std::unique_ptr<HttpClient> client_;
  ZipkinEncoder encoder_;
};

}  // namespace sonde::exporter
