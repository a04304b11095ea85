// SPDX-License-Identifier: Apache-2.0
// A running agent: kernel side, discovery and pipeline under one roof, and the loop that drains.
// Main thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "admin/admin_server.h"
#include "agent/command.h"
#include "agent/pipeline.h"
#include "agent/signals.h"
#include "agent/workloads.h"
#include "discovery/discovery.h"
#include "exporter/recent/recent_traces.h"
#include "kernel/kernel.h"
#include "sonde/base/metrics.h"
#include "sonde/base/page.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/protocol.h"
#include "sonde/pipeline/trace_control.h"
#include "tls/watcher.h"

namespace sonde::agent {

// Reads the configuration again; empty where there is no file to read.
using Reload = std::function<Result<Config>()>;

class Live final : public TraceControl, public VerdictSink {
 public:
  // Attaches the probes and marks what the selectors match. `command` may be null.
  static Result<std::unique_ptr<Live>> Create(const Config& config, Command* command,
                                              Reload reload);

  // Drains until a signal, the end of COMMAND or of --duration. The exit code.
  Result<int> Loop(Signals& signals);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  Live(const Config& config, Command* command, Reload reload)
      : config_(config), command_(command), reload_(std::move(reload)) {}
  Status Attach();
  Status SelectProcesses();
  std::vector<Page> ShowTraces();
  bool HandleSignals(Signals& signals);
  void ReloadConfig();
  bool DurationIsOver();
  Result<int> Stop();

  Status Trace(uint32_t tgid) override;
  void Untrace(uint32_t tgid) override;
  void OnVerdict(ConnectionId connection, Verdict verdict) override;

  const Config& config_;
  Command* command_;
  Reload reload_;
  MetricRegistry metrics_;
  std::unique_ptr<Workloads> workloads_;
  std::unique_ptr<kernel::Kernel> kernel_;
  std::unique_ptr<tls::Watcher> watcher_;  // after the kernel side, which it attaches to
  std::unique_ptr<discovery::Discovery> discovery_;
  std::unique_ptr<exporter::RecentTraces> recent_;  // before the pipeline, which fills it
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<admin::AdminServer> admin_;
  std::atomic<bool> ready_{false};  // read by the admin threads
  TimePoint started_;
  int exit_code_ = 0;
  bool stopping_for_duration_ = false;
};

}  // namespace sonde::agent
