// SPDX-License-Identifier: Apache-2.0
// What discovery costs on a full host: 500 processes, of which 400 run in 200 containers, chosen by
// label, unit and port. The /proc tree is a copy of 6,000 files in a temporary directory: give it
// one in memory (TMPDIR=/dev/shm), as the kernel's is.
#include <absl/status/status.h>
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "discovery/census.h"
#include "discovery/discovery.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/trace_control.h"
#include "support/allocated_bytes.h"
#include "support/fake_workloads.h"
#include "unit/discovery/fake_proc.h"

namespace {

using sonde::FakeProc;
using sonde::FakeWorkloads;
using sonde::SelectorKind;
using sonde::discovery::Discovery;

constexpr uint32_t kProcesses = 500;
constexpr uint32_t kContainers = 200;
constexpr uint32_t kFirst = 1000;

class NoControl final : public sonde::TraceControl {
 public:
  sonde::Status Trace(uint32_t /*tgid*/) override { return absl::OkStatus(); }
  void Untrace(uint32_t /*tgid*/) override {}
};

std::string Id(uint32_t number) {
  std::string id = std::to_string(number);
  return id + std::string(64 - id.size(), 'a');
}

struct Host {
  explicit Host(std::vector<sonde::Selector> include) {
    for (uint32_t i = 0; i < kProcesses; ++i) {
      const bool contained = i < 2 * kContainers;
      proc.Add({.pid = kFirst + i,
                .parent = 1,
                .exe = "/usr/bin/server",
                .args = {"server", "--config", "/etc/server/server.yaml", "--port", "8080"},
                .env = {"PATH=/usr/bin:/bin", "HOME=/root", "LANG=C.UTF-8"},
                .cgroup = contained ? "0::/docker/" + Id(i / 2) + "\n"
                                    : "0::/system.slice/server.service\n"});
    }
    for (uint32_t i = 0; i < kContainers; ++i) {
      workloads.Know(Id(i), "web-" + std::to_string(i), {{"team", i % 2 == 0 ? "shop" : "other"}});
    }
    discovery = *Discovery::Create({.include = std::move(include), .exclude = {}}, control,
                                   proc.reader(&workloads), metrics);
  }

  FakeProc proc;
  FakeWorkloads workloads;
  NoControl control;
  sonde::MetricRegistry metrics;
  std::unique_ptr<Discovery> discovery;
};

std::vector<sonde::Selector> Selectors(int64_t which) {
  if (which == 0) return {{SelectorKind::kContainerLabel, "team=shop"}};
  if (which == 1) return {{SelectorKind::kSystemdUnit, "server"}};
  return {{SelectorKind::kPort, "8080"}};
}

// The look at all processes, as at start and when containers have changed.
void BM_Scan(benchmark::State& state) {
  Host host(Selectors(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(host.discovery->Scan().traced);
  state.SetItemsProcessed(state.iterations() * kProcesses);
  state.counters["traced"] = static_cast<double>(host.discovery->traced());
}
BENCHMARK(BM_Scan)->Arg(0)->Arg(1)->Arg(2)->ArgName("selector")->Unit(benchmark::kMillisecond);

// From a program's start to the decision about it.
void BM_Exec(benchmark::State& state) {
  Host host(Selectors(state.range(0)));
  host.discovery->Scan();
  sonde::ProcessEvent event;
  event.change = sonde::ProcessChange::kExec;
  event.start_ns = 1'000'000'000;
  uint32_t next = 0;
  for (auto _ : state) {
    event.tgid = kFirst + next++ % kProcesses;
    benchmark::DoNotOptimize(host.discovery->OnProcess(event));
  }
}
BENCHMARK(BM_Exec)->Arg(0)->Arg(1)->Arg(2)->ArgName("selector")->Unit(benchmark::kMicrosecond);

// What it remembers of those it chose.
void BM_Memory(benchmark::State& state) {
  Host host({{SelectorKind::kAll, ""}});
  const size_t before = sonde::testing::AllocatedBytes();
  host.discovery->Scan();
  const size_t after = sonde::testing::AllocatedBytes();
  for (auto _ : state) benchmark::DoNotOptimize(host.discovery->traced());
  state.counters["bytes"] = static_cast<double>(after - before);
}
BENCHMARK(BM_Memory)->Iterations(1);

}  // namespace
