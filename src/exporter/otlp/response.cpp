// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/response.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/support/status.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "exporter/console/text.h"
#include "exporter/http_client.h"
#include "exporter/otlp/signal.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "rpc_status.pb.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {
namespace {

namespace metrics = opentelemetry::proto::collector::metrics::v1;
namespace trace = opentelemetry::proto::collector::trace::v1;
using Code = ExportOutcome::Code;
using std::chrono::milliseconds;

constexpr size_t kMaxMessage = 300;         // columns of a receiver's words in our log
constexpr int64_t kMaxRetryDelay = 86'400;  // seconds; keeps hostile values in range

// A receiver's words, fit for a log line.
std::string Quote(std::string_view text) {
  std::string safe;
  AppendSafe(safe, text, kMaxMessage);
  return safe;
}

int64_t RejectedOf(const trace::ExportTracePartialSuccess& partial) {
  return partial.rejected_spans();
}
int64_t RejectedOf(const metrics::ExportMetricsPartialSuccess& partial) {
  return partial.rejected_data_points();
}

// False if the text is not such a message.
template <typename Message>
bool Parse(std::string_view text, bool json, Message* message) {
  if (!json) return message->ParseFromArray(text.data(), static_cast<int>(text.size()));
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  return google::protobuf::util::JsonStringToMessage({text.data(), text.size()}, message, options)
      .ok();
}

// The batch was taken even if the words about it make no sense.
template <typename Response>
ExportOutcome AcceptedAs(std::string_view text, bool json) {
  Response response;
  ExportOutcome outcome;
  if (!Parse(text, json, &response)) return outcome;
  const auto& partial = response.partial_success();
  outcome.rejected = static_cast<size_t>(std::max<int64_t>(0, RejectedOf(partial)));
  outcome.message = Quote(partial.error_message());
  return outcome;
}

ExportOutcome Accepted(std::string_view text, bool json, Signal signal) {
  return signal == Signal::kTraces ? AcceptedAs<trace::ExportTraceServiceResponse>(text, json)
                                   : AcceptedAs<metrics::ExportMetricsServiceResponse>(text, json);
}

bool IsJson(const HttpResponse& response) {
  return response.content_type.starts_with("application/json");
}

std::string DescribeHttp(const HttpResponse& response) {
  std::string text = "HTTP status " + std::to_string(response.status);
  rpc::Status status;
  const bool parsed = Parse(response.body, IsJson(response), &status) && !status.message().empty();
  const std::string_view words =
      parsed ? std::string_view(status.message()) : std::string_view(response.body);
  if (!words.empty()) text += ": " + Quote(words);
  return text;
}

bool IsRetryableHttp(long status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

bool IsRetryableGrpc(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DATA_LOSS:
      return true;
    default:
      return false;
  }
}

struct RetryHint {
  bool present = false;
  milliseconds delay{0};
};

// google.rpc.RetryInfo among the details of a gRPC status.
RetryHint RetryHintOf(const grpc::Status& status) {
  rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return {};
  for (const google::protobuf::Any& any : details.details()) {
    rpc::RetryInfo info;
    if (!any.type_url().ends_with("/google.rpc.RetryInfo") || !info.ParseFromString(any.value()))
      continue;
    const int64_t seconds = std::clamp<int64_t>(info.retry_delay().seconds(), 0, kMaxRetryDelay);
    const int64_t nanos = std::clamp(info.retry_delay().nanos(), 0, 999'999'999);
    return {.present = true, .delay = milliseconds((seconds * 1000) + (nanos / 1'000'000))};
  }
  return {};
}

}  // namespace

ExportOutcome JudgeGrpc(const grpc::Status& status, std::string_view response, Signal signal) {
  if (status.ok()) return Accepted(response, false, signal);
  const RetryHint hint = RetryHintOf(status);
  // RESOURCE_EXHAUSTED can be recovered from only if the receiver says when.
  const bool retry = IsRetryableGrpc(status.error_code()) ||
                     (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && hint.present);
  ExportOutcome outcome;
  outcome.code = retry ? Code::kRetry : Code::kFailed;
  outcome.retry_after = hint.delay;
  outcome.message =
      "gRPC status " + std::to_string(status.error_code()) + ": " + Quote(status.error_message());
  return outcome;
}

ExportOutcome JudgeHttp(const HttpResponse& response, Signal signal) {
  ExportOutcome outcome;
  if (response.transport != HttpResponse::Transport::kAnswered) {
    const bool unusable = response.transport == HttpResponse::Transport::kUnusable;
    outcome.code = unusable ? Code::kFailed : Code::kRetry;
    outcome.message = Quote(response.error);
    return outcome;
  }
  if (response.status >= 200 && response.status < 300) {
    return Accepted(response.body, IsJson(response), signal);
  }
  outcome.code = IsRetryableHttp(response.status) ? Code::kRetry : Code::kFailed;
  outcome.retry_after = response.retry_after;
  outcome.message = DescribeHttp(response);
  return outcome;
}

}  // namespace sonde::exporter
