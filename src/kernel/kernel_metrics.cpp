// SPDX-License-Identifier: Apache-2.0
#include "kernel/kernel_metrics.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernel/family_choice.h"
#include "kernel/file_descriptor.h"
#include "kernel/loaded_family.h"
#include "kernel/shared_maps.h"
#include "sonde/abi/control.h"
#include "sonde/abi/drop_reason.h"
#include "sonde/base/metrics.h"

namespace sonde::kernel {
namespace {

// By enum sonde_drop_reason.
constexpr std::array<const char*, SONDE_DROP_REASON_COUNT> kReasons = {
    "ring_full",         "payload_fault",    "payload_unseen", "segments",
    "socket_state_full", "process_map_full", "fd_lookup",      "busy",
    "text_state_full",   "text_unreadable",  "stream_socket"};

constexpr std::array<std::pair<uint32_t, const char*>, 5> kTlsConnections = {{
    {SONDE_COUNT_TLS_HELLO, "hello"},
    {SONDE_COUNT_TLS_BY_RANDOM, "text_by_random"},
    {SONDE_COUNT_TLS_BY_FD, "text_by_descriptor"},
    {SONDE_COUNT_TLS_NO_SOCKET, "text_without_socket"},
    {SONDE_COUNT_TLS_BY_LENGTH, "text_by_length"},
}};

double SumOverCpus(int map_fd, uint32_t key) {
  const int cpus = libbpf_num_possible_cpus();
  if (map_fd < 0 || cpus <= 0) return 0;
  std::vector<uint64_t> values(static_cast<size_t>(cpus));
  if (bpf_map_lookup_elem(map_fd, &key, values.data()) != 0) return 0;
  uint64_t sum = 0;
  for (const uint64_t value : values) sum += value;
  return static_cast<double>(sum);
}

struct Program {
  std::string name;
  FileDescriptor fd;
};
using Programs = std::shared_ptr<const std::vector<Program>>;  // shared by the callbacks below

Programs CollectPrograms(const std::vector<std::unique_ptr<LoadedFamily>>& loaded) {
  auto programs = std::make_shared<std::vector<Program>>();
  for (const auto& family : loaded) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, family->object()) {
      programs->push_back(
          {bpf_program__name(program), FileDescriptor::DuplicateOf(bpf_program__fd(program))});
    }
  }
  return programs;
}

bpf_prog_info InfoOf(const Program& program) {
  bpf_prog_info info = {};
  uint32_t size = sizeof(info);
  bpf_obj_get_info_by_fd(program.fd.get(), &info, &size);
  return info;
}

// sysctl kernel.bpf_stats_enabled: without it the kernel keeps no run times.
bool StatsEnabled() {
  std::ifstream file("/proc/sys/kernel/bpf_stats_enabled");
  return file.get() == '1';
}

// First page: the reader's position; second page: the writer's (kernel/bpf/ringbuf.c,
// bpf_ringbuf_map_mmap).
double RingBytesUsed(int map_fd) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* pages = mmap(nullptr, 2 * page, PROT_READ, MAP_SHARED, map_fd, 0);
  if (pages == MAP_FAILED) return 0;
  const auto* consumer = static_cast<const volatile uint64_t*>(pages);
  const auto* producer =
      reinterpret_cast<const volatile uint64_t*>(static_cast<const char*>(pages) + page);
  const uint64_t read = *consumer;
  const auto used = static_cast<double>(*producer - read);
  munmap(pages, 2 * page);
  return used;
}

}  // namespace

void ExportKernelMetrics(const std::shared_ptr<SharedMaps>& maps,
                         const std::vector<std::unique_ptr<LoadedFamily>>& loaded,
                         const std::vector<FamilyState>& states, MetricRegistry& metrics) {
  const Programs programs = CollectPrograms(loaded);
  metrics.AddCallback(
      "sonde_events_dropped_total", "Events and bytes that were given up, by reason.",
      MetricType::kCounter, [maps, programs] {
        std::vector<MetricSample> samples;
        samples.reserve(kReasons.size() + 1);
        for (uint32_t i = 0; i < kReasons.size(); ++i) {
          samples.push_back({{{"reason", kReasons[i]}}, SumOverCpus(maps->fd("sonde_drops"), i)});
        }
        uint64_t misses = 0;
        for (const Program& program : *programs) misses += InfoOf(program).recursion_misses;
        samples.push_back({{{"reason", "recursion"}}, static_cast<double>(misses)});
        return samples;
      });
  metrics.AddCallback("sonde_quiet_calls_total",
                      "Socket calls on connections of other protocols: no record.",
                      MetricType::kCounter, [maps] {
                        return std::vector<MetricSample>{
                            {{}, SumOverCpus(maps->fd("sonde_counts"), SONDE_COUNT_QUIET)}};
                      });
  metrics.AddCallback(
      "sonde_tls_connections_total",
      "TLS connections: client hellos seen, and streams of plain text by how their socket was "
      "found.",
      MetricType::kCounter, [maps] {
        std::vector<MetricSample> samples;
        samples.reserve(kTlsConnections.size());
        for (const auto& [what, name] : kTlsConnections) {
          samples.push_back({{{"seen", name}}, SumOverCpus(maps->fd("sonde_counts"), what)});
        }
        return samples;
      });
  metrics.AddCallback(
      "sonde_tls_retries_total",
      "Writes of plain text that were made again because the socket had no room: counted once.",
      MetricType::kCounter, [maps] {
        return std::vector<MetricSample>{
            {{}, SumOverCpus(maps->fd("sonde_counts"), SONDE_COUNT_TLS_RETRY)}};
      });
  metrics.AddCallback(
      "sonde_ring_bytes_used", "Bytes in the ring buffer that were not read yet.",
      MetricType::kGauge,
      [maps] { return std::vector<MetricSample>{{{}, RingBytesUsed(maps->fd("sonde_ring"))}}; });
  metrics.AddCallback(
      "sonde_bpf_run_seconds_total", "Run time of kernel programs (kernel.bpf_stats_enabled=1).",
      MetricType::kCounter, [programs] {
        std::vector<MetricSample> samples;
        if (!StatsEnabled()) return samples;
        for (const Program& program : *programs) {
          samples.push_back({{{"program", program.name}},
                             static_cast<double>(InfoOf(program).run_time_ns) / 1e9});
        }
        return samples;
      });
  for (const FamilyState& state : states) {
    metrics
        .AddGauge("sonde_probe_state", "1 for the state a probe family is in.",
                  {{"family", std::string(state.name)}, {"state", std::string(state.state)}})
        .Set(1);
  }
}

}  // namespace sonde::kernel
