// SPDX-License-Identifier: Apache-2.0
#include "exporter/zipkin/zipkin_exporter.h"

#include <absl/memory/memory.h>
#include <absl/status/status.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "exporter/http_client.h"
#include "exporter/otlp/response.h"
#include "exporter/otlp/signal.h"
#include "exporter/version.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

Result<std::unique_ptr<SpanExporter>> ZipkinExporter::Create(const std::string& url) {
  const size_t scheme = url.find("://");
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return absl::InvalidArgumentError("--export zipkin=URL: '" + url +
                                      "' is not an http or https URL");
  }
  const size_t path = url.find('/', scheme + 3);
  std::string full = url;
  if (path == std::string::npos || path + 1 == url.size())
    full = url.substr(0, path) + "/api/v2/spans";
  HttpClientOptions options;
  options.url = std::move(full);
  options.content_type = "application/json";
  options.user_agent = kUserAgent;
  auto client = HttpClient::Create(std::move(options));
  if (!client.ok()) return client.status();
  return absl::WrapUnique(new ZipkinExporter(*std::move(client)));
}

ExportOutcome ZipkinExporter::Export(std::span<const Span> batch,
                                     std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  const HttpResponse response = client_->Post(encoder_.Encode(batch), left);
  if (response.transport == HttpResponse::Transport::kAnswered && response.status / 100 == 2)
    return {};
  return JudgeHttp(response, Signal::kTraces);
}

}  // namespace sonde::exporter
