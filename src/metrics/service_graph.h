// SPDX-License-Identifier: Apache-2.0
// Who calls whom: pairs the client span and the server span of a request, and makes a node of a
// peer that is not traced. Names as the Collector's servicegraph connector has them. Drain thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "metrics/series.h"
#include "metrics/series_store.h"
#include "metrics/span_facts.h"
#include "sonde/base/ids.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {

class ServiceGraph {
 public:
  // A span waits so long for the other end; both leave the trace stage together or within the time
  // that links may take.
  static constexpr uint64_t kWaitNs = 10'000'000'000;
  static constexpr size_t kMaxWaiting = 20'000;

  explicit ServiceGraph(SeriesStore& store) : store_(store) {}

  void OnSpan(const Span& span, const SpanFacts& facts, double seconds);
  void OnTick(uint64_t mono_ns);
  // The store forgot series.
  void Forget() { edges_.clear(); }
  // Nobody comes any more: what waits has an untraced peer.
  void Shutdown();

 private:
  struct Half {
    std::shared_ptr<const Resource> resource;
    double seconds = 0;
    bool failed = false;
    std::string peer;       // client: how it calls the server
    const char* type = "";  // connection_type
    uint64_t number = 0;    // tells it from a later one under the same id
  };
  struct Waiting {
    SpanId id;
    bool client = false;
    uint64_t number = 0;
    uint64_t until_ns = 0;
  };
  struct Edge {
    std::shared_ptr<Series> requests;
    std::shared_ptr<Series> failed;  // made with the first failure
    std::shared_ptr<Series> server;
    std::shared_ptr<Series> client;
  };
  using Halves = absl::flat_hash_map<SpanId, Half, OpaqueIdHash>;

  void Wait(Halves& halves, const SpanId& id, Half half, bool client);
  void GiveUpOldest();
  // Either half may be null: that node is virtual.
  void Complete(const Half* client, const Half* server, const char* virtual_client);
  void Count(Edge& edge, const Half* client, const Half* server, const Attributes& attributes);
  std::shared_ptr<Series>& Ensure(std::shared_ptr<Series>& series, InstrumentId instrument,
                                  const Attributes& attributes);

  SeriesStore& store_;
  Halves clients_;  // by span id
  Halves servers_;  // by parent span id
  std::deque<Waiting> waiting_;
  absl::flat_hash_map<std::string, Edge> edges_;
  std::string key_;  // scratch
  uint64_t next_number_ = 1;
  uint64_t now_ns_ = 0;
};

}  // namespace sonde::metrics
