// SPDX-License-Identifier: Apache-2.0
#include "agent/live.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "admin/admin_server.h"
#include "agent/command.h"
#include "agent/links_json.h"
#include "agent/notify.h"
#include "agent/pipeline.h"
#include "agent/signals.h"
#include "agent/workloads.h"
#include "discovery/discovery.h"
#include "exporter/recent/recent_traces.h"
#include "exporter/recent/trace_api.h"
#include "kernel/kernel.h"
#include "kernel/recording_writer.h"
#include "resource/resource_json.h"
#include "sonde/base/page.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/protocol.h"
#include "sonde/pipeline/span.h"
#include "tls/likely_files.h"
#include "tls/watcher.h"

namespace sonde::agent {
namespace {

using Clock = std::chrono::steady_clock;

// The reader's timer: short while records come, longer when idle. The ring holds far more than
// arrives in one period (docs/operating/overhead.md), and process records wake it at once.
constexpr Milliseconds kBusyPoll{5};
constexpr Milliseconds kIdlePoll{20};

std::string FromEnvironment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets any
  return value == nullptr ? "" : value;
}

// A second signal is to end the program at once: back to the default action.
void LetSignalsKill() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM}) {
    std::signal(number, SIG_DFL);
    sigaddset(&set, number);
  }
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace

Result<std::unique_ptr<Live>> Live::Create(const Config& config, Command* command, Reload reload) {
  std::unique_ptr<Live> live(new Live(config, command, std::move(reload)));
  if (Status status = live->Attach(); !status.ok()) return status;
  if (Status status = live->SelectProcesses(); !status.ok()) return status;
  return live;
}

Status Live::Attach() {
  auto workloads = Workloads::Open(config_, metrics_);
  if (!workloads.ok()) return workloads.status();
  workloads_ = *std::move(workloads);
  const ProcessReader reader("/proc", workloads_.get());
  auto discovery = discovery::Discovery::Create(config_.discovery, *this, reader, metrics_);
  if (!discovery.ok()) return discovery.status();
  discovery_ = *std::move(discovery);

  auto pipeline = Pipeline::Create(config_, reader, *this, metrics_);
  if (!pipeline.ok()) return pipeline.status();
  pipeline_ = *std::move(pipeline);
  pipeline_->SetDiscovery(discovery_.get());
  pipeline_->SetWorkloads(workloads_.get());

  std::string warning;
  auto admin = admin::AdminServer::Create(
      config_.admin, metrics_, [this] { return ready_.load(); }, &warning,
      [this] { return LinksJson(pipeline_->link_status().Copy()); },
      [this] { return pipeline_->CollectMetrics(); }, ShowTraces());
  if (!admin.ok()) return admin.status();
  admin_ = *std::move(admin);
  if (!warning.empty()) spdlog::warn("{}", warning);

  // What the kernel side reports is fixed when it is loaded; other selectors may come with a
  // reload.
  const bool may_reload = reload_ != nullptr && command_ == nullptr;
  auto kernel =
      kernel::Kernel::Create(config_.capture,
                             {.watch_exec = may_reload || discovery_->needs_exec_events(),
                              .watch_listen = may_reload || discovery_->needs_listen_events(),
                              .hot_wakes = config_.linking.hot_wakes,
                              .record_file = config_.record_file},
                             metrics_);
  if (!kernel.ok()) return kernel.status();
  kernel_ = *std::move(kernel);
  watcher_ = std::make_unique<tls::Watcher>(
      *kernel_->uprobes(),
      tls::Watcher::Options{.mappings_are_reported = kernel_->reports_mappings(),
                            .hot_wakes = config_.linking.hot_wakes},
      metrics_);
  pipeline_->SetTlsWatcher(watcher_.get());
  if (kernel::RecordingWriter* recording = kernel_->recording(); recording != nullptr) {
    pipeline_->SetResourceObserver([recording](uint32_t tgid, const Resource& resource) {
      recording->WriteResource(tgid, resource::ToJson(resource));
    });
  }
  return absl::OkStatus();
}

// Traces tell what users asked for: beyond this host only if the operator said so.
std::vector<Page> Live::ShowTraces() {
  const AdminOptions& admin = config_.admin;
  const bool meant = admin::IsLoopback(admin.listen) || admin.traces_chosen;
  if (admin.listen == "off" || admin.traces == 0 || !meant) return {};
  recent_ = std::make_unique<exporter::RecentTraces>(admin.traces, admin.trace_requests);
  pipeline_->SetRecentTraces(recent_.get());
  return exporter::TracePages(*recent_);
}

Status Live::SelectProcesses() {
  if (command_ != nullptr && watcher_ != nullptr) {
    watcher_->Expect(tls::LikelyFiles(
        command_->argv(),
        {FromEnvironment("PATH"), FromEnvironment("PYTHONPATH"), FromEnvironment("HOME")}));
  }
  if (command_ != nullptr) return discovery_->Launch(static_cast<uint32_t>(command_->pid()));
  discovery::ScanSummary summary = discovery_->Scan();
  // Who is chosen by what its runtime says is traced from the start too.
  workloads_->Settle();
  pipeline_->TakeWorkloads();
  discovery_->OnTick(0);
  summary.traced = discovery_->traced();
  if (watcher_ != nullptr) watcher_->Settle();  // ready means that what runs is seen
  if (summary.missing_pids.empty()) {
    if (summary.traced == 0) spdlog::info("no process matches yet; waiting for one to start");
    return absl::OkStatus();
  }
  const std::string pids = absl::StrJoin(summary.missing_pids, ", ");
  if (summary.traced == 0) {
    return absl::NotFoundError(
        absl::StrCat("no such process: ", pids, " (see `sonde processes` for what can be traced)"));
  }
  spdlog::warn("no such process: {}", pids);
  return absl::OkStatus();
}

Status Live::Trace(uint32_t tgid) {
  Status status = kernel_->Trace(tgid);
  if (status.ok() && watcher_ != nullptr) watcher_->Begin(tgid);
  return status;
}

void Live::Untrace(uint32_t tgid) {
  kernel_->Untrace(tgid);
  if (watcher_ != nullptr) watcher_->End(tgid);
}

void Live::OnVerdict(ConnectionId connection, Verdict verdict) {
  kernel_->SetVerdict(connection, verdict);
}

Result<int> Live::Loop(Signals& signals) {
  started_ = Clock::now();
  std::fputs("sonde: ready\n", stderr);
  ready_ = true;
  NotifyServiceManager("READY=1");
  if (command_ != nullptr) {
    if (Status status = command_->Start(); !status.ok()) return status;
  }
  Watchdog watchdog = Watchdog::FromEnvironment();
  Milliseconds wait = kBusyPoll;
  while (HandleSignals(signals) && !DurationIsOver()) {
    watchdog.Tick(Clock::now());
    const auto records = kernel_->Poll(*pipeline_, wait);
    if (!records.ok()) return records.status();
    wait = *records > 0 ? kBusyPoll : kIdlePoll;
  }
  return Stop();
}

// False when it is time to stop.
bool Live::HandleSignals(Signals& signals) {
  while (const auto signal = signals.Next()) {
    if (signal->number == SIGPIPE) continue;
    if (signal->number == SIGCHLD) {
      if (command_ == nullptr) continue;
      if (const auto code = command_->Reap()) {
        exit_code_ = *code;
        return false;
      }
      continue;
    }
    if (command_ != nullptr) {
      // From the terminal the command has it already: both are in the foreground process group.
      if (!signal->from_terminal) command_->Signal(signal->number);
      continue;
    }
    if (signal->number != SIGHUP) return false;
    NotifyReloading();
    ReloadConfig();
    NotifyServiceManager("READY=1");
  }
  return true;
}

// Selectors, sampling, redaction and routes; connections and everything else go on as they are.
void Live::ReloadConfig() {
  if (reload_ == nullptr) {
    spdlog::warn("SIGHUP: no configuration file to read again (--config FILE)");
    return;
  }
  const auto config = reload_();
  Status status = config.status();
  if (status.ok()) status = pipeline_->Reload(*config);
  if (status.ok()) status = discovery_->Reload(config->discovery);
  if (!status.ok()) {
    spdlog::error("SIGHUP: the configuration in force stays: {}", std::string(status.message()));
    return;
  }
  spdlog::info(
      "SIGHUP: selectors, sampling, redaction and routes are as the file says now; {} processes "
      "traced",
      discovery_->traced());
}

bool Live::DurationIsOver() {
  if (!config_.duration || Clock::now() - started_ < *config_.duration) return false;
  if (command_ == nullptr) return true;
  // The command ends first, so that what it still does on the way out is seen.
  if (!stopping_for_duration_) command_->Signal(SIGTERM);
  stopping_for_duration_ = true;
  return false;
}

Result<int> Live::Stop() {
  LetSignalsKill();
  ready_ = false;
  NotifyServiceManager("STOPPING=1");
  const auto deadline = Clock::now() + config_.shutdown_timeout;
  kernel_->UntraceAll();
  if (watcher_ != nullptr) pipeline_->SetTlsWatcher(nullptr);
  watcher_.reset();
  kernel_->Detach();
  const auto records = kernel_->Poll(*pipeline_, Milliseconds(0));
  if (!records.ok()) return records.status();
  const size_t undelivered = pipeline_->Finish(deadline);
  if (undelivered > 0) {
    std::fprintf(stderr, "sonde: %zu spans could not be delivered within the shutdown timeout\n",
                 undelivered);
  }
  if (stopping_for_duration_ && exit_code_ == 128 + SIGTERM) exit_code_ = 0;  // ended as asked
  return exit_code_;
}

}  // namespace sonde::agent
