// SPDX-License-Identifier: Apache-2.0
// The admin endpoint: /healthz, /readyz, /metrics, /links over plain HTTP on one address, and the
// pages that it is given. Read-only. Pages may show traced data, so that on loopback they answer
// only who asks for an address or localhost: no web page that a browser on this host has open.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/base/page.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/metric.h"

namespace sonde::admin {

// True once probes are attached and until the stop begins. Called from the server's threads.
using ReadyFn = std::function<bool()>;
// Metrics about what is traced; called from the server's threads.
using TracedMetricsFn = std::function<std::vector<ResourceMetrics>()>;
// JSON: how linking fares in each process. Called from the server's threads.
using LinksFn = std::function<std::string()>;

// Whether an address as `--listen` takes it is reached from this host only.
bool IsLoopback(std::string_view listen);

class AdminServer {
 public:
  // Null without error: `listen` is off, or its address is busy and was not chosen by the operator;
  // `*warning` then says so. A chosen address that is busy is an error (exit 1), one that cannot be
  // is kInvalidArgument. `metrics` and what `ready` refers to must outlive the server.
  static Result<std::unique_ptr<AdminServer>> Create(const AdminOptions& options,
                                                     const MetricRegistry& metrics, ReadyFn ready,
                                                     std::string* warning = nullptr,
                                                     LinksFn links = {},
                                                     TracedMetricsFn traced = {},
                                                     std::vector<Page> pages = {});
  // Stops and joins; a request in progress is finished.
  virtual ~AdminServer() = default;

  // The port it listens on; differs from the configured one if that was 0.
  virtual uint16_t port() const = 0;
};

}  // namespace sonde::admin
