// SPDX-License-Identifier: Apache-2.0
// What an OTLP receiver's answer means for a batch: OTLP specification 1.5, "OTLP/gRPC Response",
// "OTLP/HTTP Response" and "Failures". Answers come from outside: whatever they hold, the result is
// an outcome.
#pragma once

#include <grpcpp/support/status.h>

#include <string_view>

#include "exporter/http_client.h"
#include "exporter/otlp/signal.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

// `response`: the message of a call that succeeded, in protobuf.
ExportOutcome JudgeGrpc(const grpc::Status& status, std::string_view response, Signal signal);

ExportOutcome JudgeHttp(const HttpResponse& response, Signal signal);

}  // namespace sonde::exporter
