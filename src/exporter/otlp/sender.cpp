// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/sender.h"

#include <absl/status/status.h>

#include <memory>

#include "exporter/otlp/grpc_sender.h"
#include "exporter/otlp/http_sender.h"
#include "exporter/otlp/signal.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::exporter {

Result<std::unique_ptr<OtlpSender>> OtlpSender::Create(const OtlpOptions& options, Signal signal) {
  if (options.endpoint.empty()) return absl::InvalidArgumentError("the OTLP endpoint is empty");
  return options.protocol == OtlpProtocol::kGrpc ? OtlpGrpcSender::Create(options, signal)
                                                 : OtlpHttpSender::Create(options, signal);
}

}  // namespace sonde::exporter
