// SPDX-License-Identifier: Apache-2.0
// What an endpoint may answer: first byte picks gRPC or HTTP and the status, the rest is the body
// or the error details.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "exporter/otlp/response.h"
#include "exporter/otlp/signal.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sonde::exporter::Signal;
  if (size < 2) return 0;
  const std::string body(reinterpret_cast<const char*>(data + 2), size - 2);
  // The first byte says both.
  const Signal signal = data[0] < 128 ? Signal::kTraces : Signal::kMetrics;
  sonde::ExportOutcome outcome;
  if (data[0] % 3 == 0) {
    const grpc::Status status(static_cast<grpc::StatusCode>(data[1] % 17), body, body);
    outcome = sonde::exporter::JudgeGrpc(status, body, signal);
  } else {
    sonde::exporter::HttpResponse response;
    response.status = data[1] * 4;
    response.content_type = data[0] % 3 == 1 ? "application/json" : "application/x-protobuf";
    response.body = body;
    outcome = sonde::exporter::JudgeHttp(response, signal);
  }
  for (const char c : outcome.message) {
    if (static_cast<unsigned char>(c) < 0x20) std::abort();  // would reach the log
  }
  if (outcome.retry_after.count() < 0 || outcome.message.size() > 4000) std::abort();
  return 0;
}
