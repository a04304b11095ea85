// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/http_sender.h"

#include <absl/memory/memory.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

#include "exporter/http_client.h"
#include "exporter/otlp/response.h"
#include "exporter/otlp/sender.h"
#include "exporter/otlp/signal.h"
#include "exporter/version.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

Result<std::unique_ptr<OtlpSender>> OtlpHttpSender::Create(const OtlpOptions& options,
                                                           Signal signal) {
  const bool json = options.protocol == OtlpProtocol::kHttpJson;
  auto client =
      HttpClient::Create({.url = options.endpoint,
                          .content_type = json ? "application/json" : "application/x-protobuf",
                          .user_agent = kUserAgent,
                          .headers = options.headers,
                          .gzip = options.gzip,
                          .certificate = options.certificate,
                          .client_certificate = options.client_certificate,
                          .client_key = options.client_key});
  if (!client.ok()) return client.status();
  return absl::WrapUnique(new OtlpHttpSender(*std::move(client), signal, options.timeout));
}

ExportOutcome OtlpHttpSender::Send(std::string_view request,
                                   std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
  return JudgeHttp(client_->Post(request, std::min(left, timeout_)), signal_);
}

}  // namespace sonde::exporter
