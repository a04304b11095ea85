// SPDX-License-Identifier: Apache-2.0
// OTLP over gRPC. Requests come encoded and are sent as bytes; gRPC's libraries start their threads
// only when such a sender is created.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string_view>

#include "exporter/otlp/sender.h"
#include "exporter/otlp/signal.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

class OtlpGrpcSender final : public OtlpSender {
 public:
  // Endpoint: http://HOST:PORT, https://HOST:PORT, unix:PATH, or HOST:PORT with `insecure` saying
  // which of the first two.
  static Result<std::unique_ptr<OtlpSender>> Create(const OtlpOptions& options, Signal signal);

  ~OtlpGrpcSender() override;

  ExportOutcome Send(std::string_view request,
                     std::chrono::steady_clock::time_point deadline) override;
  void Cancel() override { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  OtlpGrpcSender(OtlpOptions options, Signal signal, const std::shared_ptr<grpc::Channel>& channel);
  void Prepare(grpc::ClientContext& context, std::chrono::steady_clock::time_point deadline) const;
  void WaitForAnswer(grpc::ClientContext& context);

  const OtlpOptions options_;
  const Signal signal_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace sonde::exporter
