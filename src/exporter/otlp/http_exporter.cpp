// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/http_exporter.h"

#include <absl/memory/memory.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "exporter/http_client.h"
#include "exporter/otlp/response.h"
#include "exporter/version.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

Result<std::unique_ptr<SpanExporter>> OtlpHttpExporter::Create(const OtlpOptions& options) {
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
  return absl::WrapUnique(new OtlpHttpExporter(*std::move(client), json, options.timeout));
}

ExportOutcome OtlpHttpExporter::Export(std::span<const Span> batch,
                                       std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
  const std::string_view body =
      json_ ? json_encoder_.Encode(batch) : protobuf_encoder_.Encode(batch);
  return JudgeHttp(client_->Post(body, std::min(left, timeout_)));
}

}  // namespace sonde::exporter
