// SPDX-License-Identifier: Apache-2.0
// OTLP over gRPC. The request is encoded by ProtobufEncoder and sent as bytes; gRPC's libraries
// start their threads only when such an exporter is created.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <string>

#include "exporter/otlp/protobuf_encoder.h"
#include "exporter/otlp/response.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class OtlpGrpcExporter final : public SpanExporter {
 public:
  // Endpoint: http://HOST:PORT, https://HOST:PORT, unix:PATH, or HOST:PORT with `insecure` saying
  // which of the first two.
  static Result<std::unique_ptr<SpanExporter>> Create(const OtlpOptions& options);

  ~OtlpGrpcExporter() override;

  const char* name() const override { return "otlp"; }
  ExportOutcome Export(std::span<const Span> batch,
                       std::chrono::steady_clock::time_point deadline) override;
  void Cancel() override { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  using Stub = grpc::TemplatedGenericStub<grpc::ByteBuffer, ExportTraceServiceResponse>;

  OtlpGrpcExporter(OtlpOptions options, const std::shared_ptr<grpc::Channel>& channel);
  void Prepare(grpc::ClientContext& context, std::chrono::steady_clock::time_point deadline) const;
  void WaitForAnswer(grpc::ClientContext& context);

  const OtlpOptions options_;
  Stub stub_;
  grpc::CompletionQueue queue_;
  ProtobufEncoder encoder_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace sonde::exporter
