// SPDX-License-Identifier: Apache-2.0
#include "metrics/active_requests.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "metrics/instrument.h"
#include "metrics/series.h"
#include "metrics/series_store.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {
namespace {

// Those that the conventions know by default; the last stands for all others.
constexpr std::array<std::string_view, 10> kMethods{
    "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT", "TRACE", "_OTHER"};

size_t MethodOf(const HttpRequest& request) {
  const auto* found = std::ranges::find(kMethods, std::string_view(request.method));
  return std::min<size_t>(static_cast<size_t>(found - kMethods.begin()), kMethods.size() - 1);
}

// Its calls are no HTTP requests: the conventions have other metrics for them.
bool IsGrpc(const HttpRequest& request) {
  return std::ranges::any_of(request.headers, [](const HttpHeader& header) {
    return header.name == "content-type" && header.value.starts_with("application/grpc");
  });
}

}  // namespace

ActiveRequests::ActiveRequests(ExchangeSink& next, SeriesStore& store, ResourceOf resource_of)
    : next_(next), store_(store), resource_of_(std::move(resource_of)) {}

std::shared_ptr<Series>& ActiveRequests::SeriesOf(const RequestStart& start) {
  const ServiceNumber service = store_.ServiceOf(resource_of_(start.request.first_by.tgid));
  const size_t method = MethodOf(*start.http);
  const bool secure = start.connection != nullptr && start.connection->plain_text;
  const uint64_t key = (uint64_t{service} << 8) | (method << 1) | (secure ? 1 : 0);
  std::shared_ptr<Series>& series = series_[key];
  if (series == nullptr) {
    const Attributes attributes{{"http.request.method", std::string(kMethods.at(method))},
                                {"url.scheme", std::string(secure ? "https" : "http")}};
    series = store_.FindOrAdd(service, InstrumentId::kHttpServerActive, attributes,
                              start.request.first_mono_ns);
  }
  return series;
}

void ActiveRequests::OnRequestStart(const RequestStart& start) {
  if (start.role == Role::kServer && start.http != nullptr && !IsGrpc(*start.http)) {
    const std::shared_ptr<Series>& series = SeriesOf(start);
    if (open_.emplace(start.id, series).second) series->Add(1, start.request.first_mono_ns);
  }
  next_.OnRequestStart(start);
}

void ActiveRequests::OnResponseStart(ExchangeId id, const MessageSpan& response) {
  next_.OnResponseStart(id, response);
}

void ActiveRequests::OnExchange(const Exchange& exchange) {
  if (const auto open = open_.find(exchange.id); open != open_.end()) {
    const MessageSpan& last = exchange.response.seen ? exchange.response : exchange.request;
    open->second->Add(-1, last.last_mono_ns);
    open_.erase(open);
  }
  next_.OnExchange(exchange);
}

}  // namespace sonde::metrics
