// SPDX-License-Identifier: Apache-2.0
// OTLP over HTTP: protobuf or JSON bodies.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

#include "exporter/http_client.h"
#include "exporter/otlp/sender.h"
#include "exporter/otlp/signal.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

class OtlpHttpSender final : public OtlpSender {
 public:
  static Result<std::unique_ptr<OtlpSender>> Create(const OtlpOptions& options, Signal signal);

  ExportOutcome Send(std::string_view request,
                     std::chrono::steady_clock::time_point deadline) override;
  void Cancel() override { client_->Cancel(); }

 private:
  OtlpHttpSender(std::unique_ptr<HttpClient> client, Signal signal, Milliseconds timeout)
      : client_(std::move(client)), signal_(signal), timeout_(timeout) {}

  const std::unique_ptr<HttpClient> client_;
  const Signal signal_;
  const Milliseconds timeout_;
};

}  // namespace sonde::exporter
