// SPDX-License-Identifier: Apache-2.0
// What an OTLP receiver's answer means for a batch: OTLP specification 1.5, "OTLP/gRPC Response",
// "OTLP/HTTP Response" and "Failures". Answers come from outside: whatever they hold, the result is
// an outcome.
#pragma once

#include <grpcpp/support/status.h>

#include "exporter/http_client.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

using ExportTraceServiceResponse =
    opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse;

ExportOutcome JudgeGrpc(const grpc::Status& status, const ExportTraceServiceResponse& response);

ExportOutcome JudgeHttp(const HttpResponse& response);

}  // namespace sonde::exporter
