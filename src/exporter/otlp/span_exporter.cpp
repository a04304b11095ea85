// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/span_exporter.h"

#include <absl/memory/memory.h>

#include <chrono>
#include <memory>
#include <span>
#include <utility>

#include "exporter/otlp/sender.h"
#include "exporter/otlp/signal.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

Result<std::unique_ptr<SpanExporter>> OtlpSpanExporter::Create(const OtlpOptions& options) {
  auto sender = OtlpSender::Create(options, Signal::kTraces);
  if (!sender.ok()) return sender.status();
  const bool json = options.protocol == OtlpProtocol::kHttpJson;
  return absl::WrapUnique(new OtlpSpanExporter(*std::move(sender), json));
}

ExportOutcome OtlpSpanExporter::Export(std::span<const Span> batch,
                                       std::chrono::steady_clock::time_point deadline) {
  return sender_->Send(json_ ? json_encoder_.Encode(batch) : protobuf_encoder_.Encode(batch),
                       deadline);
}

}  // namespace sonde::exporter
