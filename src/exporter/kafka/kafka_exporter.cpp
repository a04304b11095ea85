// SPDX-License-Identifier: Apache-2.0
#include "exporter/kafka/kafka_exporter.h"

#include <absl/memory/memory.h>
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/kafka/kafka_producer.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

enum class Verdict : uint8_t { kDelivered, kTooLarge, kRefused, kAgain };

// Refused is what the same message would always be told. Everything else may be better later: a
// topic may be created, a leader elected, a broker come back.
Verdict Judge(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return Verdict::kDelivered;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return Verdict::kTooLarge;
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
      return Verdict::kRefused;
    default:
      return Verdict::kAgain;
  }
}

// What the user can do about it.
std::string_view Remedy(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return "; a span is larger than message.max.bytes here, or than max.message.bytes of the "
             "topic";
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return "; create it, or let the broker do so (auto.create.topics.enable)";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return "; sonde's user needs the right to write";
    default:
      return "";
  }
}

}  // namespace

Result<std::unique_ptr<SpanExporter>> KafkaExporter::Create(const KafkaOptions& options) {
  auto producer = KafkaProducer::Create(options);
  if (!producer.ok()) return producer.status();
  return absl::WrapUnique(new KafkaExporter(*std::move(producer), options.topic));
}

ExportOutcome KafkaExporter::Export(std::span<const Span> batch,
                                    std::chrono::steady_clock::time_point deadline) {
  ExportOutcome outcome;
  std::vector<std::span<const Span>> parts{batch};  // still to be sent, the next one last
  while (!parts.empty()) {
    const std::span<const Span> part = parts.back();
    parts.pop_back();
    const KafkaProducer::Report report = producer_->Send(encoder_.Encode(part), deadline);
    const Verdict verdict = Judge(report.error);
    if (verdict == Verdict::kDelivered) continue;
    if (verdict == Verdict::kTooLarge && part.size() > 1) {
      const size_t half = part.size() / 2;
      parts.push_back(part.subspan(half));
      parts.push_back(part.first(half));
      continue;
    }
    outcome.message = "topic " + topic_ + ": " + report.message + std::string(Remedy(report.error));
    if (verdict == Verdict::kAgain) {
      outcome.code = ExportOutcome::Code::kRetry;
      return outcome;
    }
    outcome.rejected += part.size();
  }
  if (outcome.rejected > 0 && outcome.rejected == batch.size()) {
    outcome.code = ExportOutcome::Code::kFailed;
  }
  return outcome;
}

}  // namespace sonde::exporter
