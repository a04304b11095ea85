// SPDX-License-Identifier: Apache-2.0
#include "kernel/counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/family_state.h"
#include "kernel/file_descriptor.h"
#include "sonde/abi/control.h"
#include "sonde/abi/drop_reason.h"
#include "sonde/abi/record.h"
#include "sonde/base/metrics.h"

namespace sonde::kernel {
namespace {

constexpr char kEvents[] = "sonde_events_total";
constexpr char kEventsHelp[] = "Records from the kernel by type; quiet: calls on connections that are left alone";
constexpr char kDropped[] = "sonde_events_dropped_total";
constexpr char kDroppedHelp[] = "What the kernel side or the drain gave up, by reason";

uint64_t ReadPosition(const void* page) {
  return page == nullptr ? 0
                         : static_cast<const std::atomic<uint64_t>*>(page)->load(std::memory_order_acquire);
}

void* MapPage(int fd, size_t page_bytes, size_t index) {
  void* page = mmap(nullptr, page_bytes, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(index * page_bytes));
  return page == MAP_FAILED ? nullptr : page;
}

bool ProgramInfo(int fd, bpf_prog_info& info) {
  uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(fd, &info, &size) == 0;
}

bool StatsEnabled() {
  std::ifstream file("/proc/sys/kernel/bpf_stats_enabled");
  return file.get() == '1';
}

}  // namespace

std::string_view DropReasonName(uint32_t reason) {
  switch (reason) {
    case SONDE_DROP_RING_FULL:
      return "ring_full";
    case SONDE_DROP_PAYLOAD_FAULT:
      return "payload_fault";
    case SONDE_DROP_PAYLOAD_UNSEEN:
      return "payload_unseen";
    case SONDE_DROP_SEGMENTS:
      return "segments";
    case SONDE_DROP_SOCKET_STATE_FULL:
      return "socket_state_full";
    case SONDE_DROP_PROCESS_MAP_FULL:
      return "process_map_full";
    case SONDE_DROP_FD_LOOKUP:
      return "fd_lookup";
    default:
      return "unknown";
  }
}

void EventCounters::Register(MetricRegistry& metrics) {
  constexpr std::pair<uint16_t, const char*> kTypes[] = {
      {SONDE_RECORD_DATA, "data"}, {SONDE_RECORD_OPEN, "open"}, {SONDE_RECORD_SHUTDOWN, "shutdown"},
      {SONDE_RECORD_FORK, "fork"}, {SONDE_RECORD_EXEC, "exec"}, {SONDE_RECORD_EXIT, "exit"},
      {SONDE_RECORD_LISTEN, "listen"}};
  for (const auto& [type, name] : kTypes) {
    by_type_[type] = &metrics.AddCounter(kEvents, kEventsHelp, {{"type", name}});
  }
  invalid_ = &metrics.AddCounter(kDropped, kDroppedHelp, {{"reason", "invalid_record"}});
  unknown_ = &metrics.AddCounter(kDropped, kDroppedHelp, {{"reason", "unknown_record"}});
}

KernelCounters::KernelCounters(int drops_fd, int counts_fd, int ring_fd, size_t ring_bytes)
    : drops_(FileDescriptor::DuplicateOf(drops_fd)),
      counts_(FileDescriptor::DuplicateOf(counts_fd)),
      page_bytes_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
  // Page 0 holds the consumer's position, page 1 the producer's (linux/kernel/bpf/ringbuf.c).
  if (ring_bytes == 0) return;
  consumer_page_ = MapPage(ring_fd, page_bytes_, 0);
  producer_page_ = MapPage(ring_fd, page_bytes_, 1);
}

KernelCounters::~KernelCounters() {
  if (consumer_page_ != nullptr) munmap(consumer_page_, page_bytes_);
  if (producer_page_ != nullptr) munmap(producer_page_, page_bytes_);
}

void KernelCounters::AddPrograms(bpf_object* object) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    programs_.push_back({bpf_program__name(program), FileDescriptor::DuplicateOf(bpf_program__fd(program))});
  }
}

uint64_t KernelCounters::SumPerCpu(int map_fd, uint32_t key) {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0 || map_fd < 0) return 0;
  std::vector<uint64_t> values(static_cast<size_t>(cpus));
  if (bpf_map_lookup_elem(map_fd, &key, values.data()) != 0) return 0;
  uint64_t sum = 0;
  for (const uint64_t value : values) sum += value;
  return sum;
}

uint64_t KernelCounters::Dropped(uint32_t reason) const { return SumPerCpu(drops_.get(), reason); }

uint64_t KernelCounters::Quiet() const { return SumPerCpu(counts_.get(), SONDE_COUNT_QUIET); }

uint64_t KernelCounters::RecursionMisses() const {
  uint64_t sum = 0;
  for (const Program& program : programs_) {
    bpf_prog_info info = {};
    if (ProgramInfo(program.fd.get(), info)) sum += info.recursion_misses;
  }
  return sum;
}

uint64_t KernelCounters::RingBytesUsed() const {
  // The producer is read last: it never falls behind the consumer.
  const uint64_t consumer = ReadPosition(consumer_page_);
  return ReadPosition(producer_page_) - consumer;
}

std::vector<MetricSample> KernelCounters::RunSeconds() const {
  std::vector<MetricSample> samples;
  if (!StatsEnabled()) return samples;
  for (const Program& program : programs_) {
    bpf_prog_info info = {};
    if (!ProgramInfo(program.fd.get(), info)) continue;
    samples.push_back({{{"program", program.name}}, static_cast<double>(info.run_time_ns) / 1e9});
  }
  return samples;
}

void RegisterKernelMetrics(MetricRegistry& metrics, const std::shared_ptr<const KernelCounters>& counters,
                           const std::vector<FamilyState>& families) {
  metrics.AddCallback(kEvents, kEventsHelp, MetricType::kCounter, [counters] {
    return std::vector<MetricSample>{{{{"type", "quiet"}}, static_cast<double>(counters->Quiet())}};
  });
  metrics.AddCallback(kDropped, kDroppedHelp, MetricType::kCounter, [counters] {
    std::vector<MetricSample> samples;
    for (uint32_t reason = 0; reason < SONDE_DROP_REASON_COUNT; ++reason) {
      samples.push_back({{{"reason", std::string(DropReasonName(reason))}},
                         static_cast<double>(counters->Dropped(reason))});
    }
    samples.push_back({{{"reason", "recursion"}}, static_cast<double>(counters->RecursionMisses())});
    return samples;
  });
  metrics.AddCallback("sonde_ring_bytes_used", "Bytes in the ring buffer that were not read yet",
                      MetricType::kGauge, [counters] {
                        return std::vector<MetricSample>{{{}, static_cast<double>(counters->RingBytesUsed())}};
                      });
  metrics.AddCallback("sonde_bpf_run_seconds_total",
                      "Time in each kernel program, if kernel.bpf_stats_enabled is on", MetricType::kCounter,
                      [counters] { return counters->RunSeconds(); });
  for (const FamilyState& family : families) {
    metrics
        .AddGauge("sonde_probe_state", "1 for the state each probe family is in",
                  {{"family", family.name}, {"state", ConditionName(family.state)}})
        .Set(1);
  }
}

}  // namespace sonde::kernel
