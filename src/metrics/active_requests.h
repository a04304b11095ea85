// SPDX-License-Identifier: Apache-2.0
// http.server.active_requests: stands before the trace stage, since a request counts from its start
// and has no span before its end. Drain thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "metrics/series.h"
#include "metrics/series_store.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {

class ActiveRequests final : public ExchangeSink {
 public:
  // Of a process that sonde traces.
  using ResourceOf = std::function<std::shared_ptr<const Resource>(uint32_t tgid)>;

  // `next` and `store` outlive it.
  ActiveRequests(ExchangeSink& next, SeriesStore& store, ResourceOf resource_of);

  void OnRequestStart(const RequestStart& start) override;
  void OnResponseStart(ExchangeId id, const MessageSpan& response) override;
  void OnExchange(const Exchange& exchange) override;
  // The store forgot series.
  void Forget() { series_.clear(); }

 private:
  std::shared_ptr<Series>& SeriesOf(const RequestStart& start);

  ExchangeSink& next_;
  SeriesStore& store_;
  const ResourceOf resource_of_;
  // One entry per open request: bounded as those are.
  absl::flat_hash_map<ExchangeId, std::shared_ptr<Series>> open_;
  absl::flat_hash_map<uint64_t, std::shared_ptr<Series>> series_;  // by service, method, scheme
};

}  // namespace sonde::metrics
