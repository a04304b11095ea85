// SPDX-License-Identifier: Apache-2.0
// Self-metrics of the drain: what arrived, and what the kernel side gave up, read from its maps when asked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "kernel/family_state.h"
#include "kernel/file_descriptor.h"
#include "sonde/abi/drop_reason.h"
#include "sonde/base/metrics.h"

struct bpf_object;

namespace sonde::kernel {

// Label value of a drop reason, as in sonde_events_dropped_total{reason}.
std::string_view DropReasonName(uint32_t reason);

// Records by type. Drain thread counts.
class EventCounters {
 public:
  void Register(MetricRegistry& metrics);
  void Count(uint16_t type) { Add(type < by_type_.size() ? by_type_[type] : nullptr); }
  void CountInvalid() { Add(invalid_); }
  void CountUnknown() { Add(unknown_); }

 private:
  static void Add(Counter* counter) {
    if (counter != nullptr) counter->Add();
  }
  std::array<Counter*, 8> by_type_{};
  Counter* invalid_ = nullptr;
  Counter* unknown_ = nullptr;
};

// Handles of what the kernel side counts. The registry's callbacks share it, because they outlive the Kernel.
class KernelCounters {
 public:
  KernelCounters(int drops_fd, int counts_fd, int ring_fd, size_t ring_bytes);
  ~KernelCounters();
  KernelCounters(const KernelCounters&) = delete;
  KernelCounters& operator=(const KernelCounters&) = delete;

  void AddPrograms(bpf_object* object);

  uint64_t Dropped(uint32_t reason) const;
  uint64_t Quiet() const;
  uint64_t RecursionMisses() const;
  uint64_t RingBytesUsed() const;
  // Empty unless the kernel keeps run times (sysctl kernel.bpf_stats_enabled).
  std::vector<MetricSample> RunSeconds() const;

 private:
  struct Program {
    std::string name;
    FileDescriptor fd;
  };
  static uint64_t SumPerCpu(int map_fd, uint32_t key);

  FileDescriptor drops_;
  FileDescriptor counts_;
  std::vector<Program> programs_;
  size_t page_bytes_;
  void* consumer_page_ = nullptr;  // read-only views of the ring's two positions
  void* producer_page_ = nullptr;
};

// Registers all metrics that are read from the kernel. `counters` is shared with the registry's callbacks.
void RegisterKernelMetrics(MetricRegistry& metrics, const std::shared_ptr<const KernelCounters>& counters,
                           const std::vector<FamilyState>& families);

}  // namespace sonde::kernel
