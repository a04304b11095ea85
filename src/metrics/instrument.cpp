// SPDX-License-Identifier: Apache-2.0
#include "metrics/instrument.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "metrics/series.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/metric.h"

namespace sonde::metrics {
namespace {

Bounds Make(std::vector<double> bounds) {
  return std::make_shared<const std::vector<double>>(std::move(bounds));
}

// What the conventions advise for request durations, in seconds.
std::vector<double> RequestSeconds() {
  return {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};
}

// The SDK's default boundaries: the conventions advise none for sizes.
std::vector<double> Sizes() {
  return {0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10'000};
}

// Both connectors' default, in seconds.
std::vector<double> ConnectorSeconds() {
  return {0.002, 0.004, 0.006, 0.008, 0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1, 1.4, 2, 5, 10, 15};
}

void NameSpanMetrics(const MetricsOptions& options, Instrument& span) {
  const std::string base =
      options.names == SpanMetricNames::kSpanMetrics ? "traces.span.metrics" : "traces.spanmetrics";
  span.calls_name = base + ".calls";
  span.unit = options.span_seconds ? "s" : "ms";
  span.name = base + ".duration";
  if (options.names != SpanMetricNames::kTempo) return;
  span.name = base + ".latency";
  span.unit = "";  // Tempo has seconds without saying so
}

}  // namespace

Instruments MakeInstruments(const MetricsOptions& options) {
  const std::vector<double> seconds =
      options.buckets.empty() ? ConnectorSeconds() : options.buckets;
  const Bounds graph = Make(seconds);
  std::vector<double> span_bounds = seconds;
  const bool milliseconds = !options.span_seconds && options.names != SpanMetricNames::kTempo;
  constexpr double kMillisecondsPerSecond = 1000;
  for (double& bound : span_bounds) bound *= milliseconds ? kMillisecondsPerSecond : 1;
  const Bounds requests = Make(RequestSeconds());
  const Bounds sizes = Make(Sizes());
  const auto histogram = MetricKind::kHistogram;
  Instruments all{{
      {"", "", "Duration of spans.", histogram, Make(std::move(span_bounds)), ""},
      {"http.server.request.duration", "s", "Duration of HTTP server requests.", histogram,
       requests, ""},
      {"http.client.request.duration", "s", "Duration of HTTP client requests.", histogram,
       requests, ""},
      {"rpc.server.call.duration", "s", "Duration of incoming remote procedure calls.", histogram,
       requests, ""},
      {"rpc.client.call.duration", "s", "Duration of outgoing remote procedure calls.", histogram,
       requests, ""},
      {"http.server.request.body.size", "By", "Size of HTTP server request bodies.", histogram,
       sizes, ""},
      {"http.server.response.body.size", "By", "Size of HTTP server response bodies.", histogram,
       sizes, ""},
      {"http.client.request.body.size", "By", "Size of HTTP client request bodies.", histogram,
       sizes, ""},
      {"http.client.response.body.size", "By", "Size of HTTP client response bodies.", histogram,
       sizes, ""},
      {"http.server.active_requests", "{request}", "Number of active HTTP server requests.",
       MetricKind::kUpDownSum, nullptr, ""},
      {"traces_service_graph_request_total", "", "Requests between two nodes.", MetricKind::kSum,
       nullptr, ""},
      {"traces_service_graph_request_failed_total", "", "Failed requests between two nodes.",
       MetricKind::kSum, nullptr, ""},
      {"traces_service_graph_request_server_seconds", "s",
       "Duration of requests between two nodes, as the server sees it.", histogram, graph, ""},
      {"traces_service_graph_request_client_seconds", "s",
       "Duration of requests between two nodes, as the client sees it.", histogram, graph, ""},
  }};
  NameSpanMetrics(options, all.front());
  return all;
}

}  // namespace sonde::metrics
