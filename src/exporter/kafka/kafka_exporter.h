// SPDX-License-Identifier: Apache-2.0
// Spans to a topic of Kafka, as the Collector's kafka exporter writes them with encoding
// otlp_proto: each message an ExportTraceServiceRequest, without a key. A batch that is larger than
// a message may be becomes several.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "exporter/kafka/kafka_producer.h"
#include "exporter/otlp/protobuf_encoder.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class KafkaExporter final : public SpanExporter {
 public:
  static Result<std::unique_ptr<SpanExporter>> Create(const KafkaOptions& options);

  const char* name() const override { return "kafka"; }
  // kRetry after a part of the batch was delivered sends that part again: at least once.
  ExportOutcome Export(std::span<const Span> batch,
                       std::chrono::steady_clock::time_point deadline) override;
  void Tick() override { producer_->Serve(); }
  void Cancel() override { producer_->Cancel(); }

 private:
  KafkaExporter(std::unique_ptr<KafkaProducer> producer, std::string topic)
      : producer_(std::move(producer)), topic_(std::move(topic)) {}

  const std::unique_ptr<KafkaProducer> producer_;
  const std::string topic_;
  ProtobufEncoder encoder_;
};

}  // namespace sonde::exporter
