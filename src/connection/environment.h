// SPDX-License-Identifier: Apache-2.0
// What all connections of one table share. Drain thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "connection/buffer_account.h"
#include "connection/parser_memory.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::connection {

// Counters of one registered protocol.
struct ProtocolMetrics {
  std::array<Counter*, kOutcomeCount> outcomes{};
  Gauge* connections = nullptr;
};

struct Environment {
  Environment(const LimitOptions& limit_options, ProtocolList protocol_list,
              ExchangeSink& exchange_sink, VerdictSink& verdict_sink, MetricRegistry& registry);

  LimitOptions limits;
  ProtocolList protocols;
  ExchangeSink& sink;
  VerdictSink& verdicts;
  BufferTotal buffers;
  ParserMemory parser_memory;  // as much again as the buffers may take
  ExchangeId last_exchange = 0;

  std::vector<ProtocolMetrics> protocol_metrics;
  Gauge& open;     // state="open": not recognised yet
  Gauge& ignored;  // state="ignored"
  Counter& gaps;
  Counter& duplicates;
  Counter& restarts;
  Counter& repairs;
  Counter& evicted;
};

}  // namespace sonde::connection
