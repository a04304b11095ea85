// SPDX-License-Identifier: Apache-2.0
#include "connection/environment.h"

#include <cstddef>

#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::connection {
namespace {

constexpr char kConnections[] = "sonde_connections";
constexpr char kConnectionsHelp[] = "Connections tracked, by what is known of them.";
constexpr char kDropped[] = "sonde_events_dropped_total";
constexpr char kDroppedHelp[] = "Events or parts of them given up, by reason.";
constexpr char kStream[] = "sonde_stream_events_total";
constexpr char kStreamHelp[] = "Byte stream reassembly: gap, duplicate, restart, repair.";

// In the order of enum Outcome.
constexpr const char* kOutcomes[kOutcomeCount] = {"done", "need_more", "skip", "invalid",
                                                  "upgrade"};

}  // namespace

Environment::Environment(const LimitOptions& limit_options, ProtocolList protocol_list,
                         ExchangeSink& exchange_sink, VerdictSink& verdict_sink,
                         MetricRegistry& registry)
    : limits(limit_options),
      protocols(protocol_list),
      sink(exchange_sink),
      verdicts(verdict_sink),
      parser_memory(limits.total_connection_bytes,
                    registry.AddCounter(kDropped, kDroppedHelp, {{"reason", "parser_memory"}})),
      open(registry.AddGauge(kConnections, kConnectionsHelp, {{"state", "open"}})),
      ignored(registry.AddGauge(kConnections, kConnectionsHelp, {{"state", "ignored"}})),
      gaps(registry.AddCounter(kStream, kStreamHelp, {{"event", "gap"}})),
      duplicates(registry.AddCounter(kStream, kStreamHelp, {{"event", "duplicate"}})),
      restarts(registry.AddCounter(kStream, kStreamHelp, {{"event", "restart"}})),
      repairs(registry.AddCounter(kStream, kStreamHelp, {{"event", "repair"}})),
      evicted(registry.AddCounter(kDropped, kDroppedHelp, {{"reason", "connection_evicted"}})) {
  buffers.limit = limits.total_connection_bytes;
  buffers.connection_limit = limits.connection_bytes;
  buffers.dropped_connection =
      &registry.AddCounter(kDropped, kDroppedHelp, {{"reason", "connection_buffer"}});
  buffers.dropped_total =
      &registry.AddCounter(kDropped, kDroppedHelp, {{"reason", "total_buffer"}});
  for (const Protocol& protocol : protocols) {
    ProtocolMetrics& metrics = protocol_metrics.emplace_back();
    metrics.connections =
        &registry.AddGauge(kConnections, kConnectionsHelp, {{"state", protocol.name}});
    for (size_t i = 0; i < kOutcomeCount; ++i) {
      metrics.outcomes[i] = &registry.AddCounter(
          "sonde_parse_outcomes_total", "What parsers did with what they were shown.",
          {{"protocol", protocol.name}, {"outcome", kOutcomes[i]}});
    }
  }
}

}  // namespace sonde::connection
