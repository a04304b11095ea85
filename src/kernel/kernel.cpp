// SPDX-License-Identifier: Apache-2.0
#include "kernel/kernel.h"

#include <absl/status/status.h>
#include <bpf/bpf.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "kernel/decode.h"
#include "kernel/family_choice.h"
#include "kernel/host.h"
#include "kernel/kernel_metrics.h"
#include "kernel/loaded_family.h"
#include "kernel/recording_writer.h"
#include "kernel/ring.h"
#include "kernel/uprobes.h"
#include "sonde/abi/control.h"
#include "sonde/abi/runtime.h"
#include "sonde/base/clock.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/protocol.h"
#include "sonde/probe/family.h"

namespace sonde::kernel {
namespace {

// Frozen into the programs; socket_table is set when the socket family is known.
Result<sonde_settings> MakeSettings(const CaptureOptions& capture, const KernelOptions& options) {
  sonde_settings settings = {};
  if (capture.ports.size() > SONDE_MAX_PORT_RANGES) {
    return absl::InvalidArgumentError("--port: at most 16 ranges");
  }
  if (!std::has_single_bit(capture.ring_bytes) || capture.ring_bytes < 4096 ||
      capture.ring_bytes > UINT32_MAX) {
    return absl::InvalidArgumentError("the ring's size must be a power of two from 4 KiB to 2 GiB");
  }
  settings.port_range_count = static_cast<uint32_t>(capture.ports.size());
  std::ranges::transform(capture.ports, settings.ports, [](const PortRange& range) {
    return sonde_port_range{range.first, range.last};
  });
  settings.watch_exec = options.watch_exec ? 1 : 0;
  settings.watch_listen = options.watch_listen ? 1 : 0;
  settings.tls = 1;
  settings.wakes = (1U << SONDE_RUNTIME_JAVA) | (1U << SONDE_RUNTIME_TOKIO) |
                   (options.hot_wakes ? 1U << SONDE_RUNTIME_GO : 0U);
  return settings;
}

}  // namespace

Result<std::unique_ptr<Kernel>> Kernel::Create(const CaptureOptions& capture,
                                               const KernelOptions& options,
                                               MetricRegistry& metrics) {
  if (Status status = CheckFamilyNames(capture); !status.ok()) return status;
  if (Status status = CheckHost(ReadHost()); !status.ok()) return status;
  const auto settings = MakeSettings(capture, options);
  if (!settings.ok()) return settings.status();
  std::unique_ptr<Kernel> kernel(new Kernel(capture.ring_bytes, metrics));
  auto choice = ChooseFamilies(capture, *settings, *kernel->maps_);
  if (!choice.ok()) return choice.status();
  kernel->loaded_ = std::move(choice->loaded);
  kernel->states_ = std::move(choice->states);
  auto uprobes = Uprobes::Create(kernel->Loaded(probe::Part::kTlsText),
                                 kernel->Loaded(probe::Part::kRuntimes), kernel->maps_);
  if (!uprobes.ok()) return uprobes.status();
  kernel->uprobes_ = *std::move(uprobes);
  auto ring = Ring::Create(kernel->maps_->fd("sonde_ring"));
  if (!ring.ok()) return ring.status();
  kernel->ring_ = *std::move(ring);
  if (!options.record_file.empty()) {
    auto recording = RecordingWriter::Create(options.record_file, WallClock().offset_ns());
    if (!recording.ok()) return recording.status();
    kernel->recording_ = *std::move(recording);
  }
  ExportKernelMetrics(kernel->maps_, kernel->loaded_, kernel->states_, metrics);
  return kernel;
}

Kernel::~Kernel() = default;

Status Kernel::Trace(uint32_t tgid) {
  const uint32_t rule = 1;
  // What the kernel noted of it stays.
  if (bpf_map_update_elem(maps_->fd("sonde_traced"), &tgid, &rule, BPF_NOEXIST) != 0 &&
      errno != EEXIST) {
    return absl::ErrnoToStatus(errno, "mark process as traced");
  }
  return absl::OkStatus();
}

void Kernel::Untrace(uint32_t tgid) { bpf_map_delete_elem(maps_->fd("sonde_traced"), &tgid); }

void Kernel::UntraceAll() {
  const int traced = maps_->fd("sonde_traced");
  uint32_t tgid = 0;
  while (bpf_map_get_next_key(traced, nullptr, &tgid) == 0) bpf_map_delete_elem(traced, &tgid);
}

bool Kernel::IsTraced(uint32_t tgid) const {
  uint32_t rule = 0;
  return bpf_map_lookup_elem(maps_->fd("sonde_traced"), &tgid, &rule) == 0;
}

const LoadedFamily* Kernel::Loaded(probe::Part part) const {
  const auto found = std::ranges::find_if(
      loaded_, [part](const auto& family) { return family->family().part == part; });
  return found == loaded_.end() ? nullptr : found->get();
}

bool Kernel::reports_mappings() const { return Loaded(probe::Part::kMappings) != nullptr; }

void Kernel::SetVerdict(ConnectionId connection, Verdict verdict) {
  constexpr uint32_t kValues[] = {SONDE_VERDICT_REFUSED, SONDE_VERDICT_HTTP1, SONDE_VERDICT_HTTP2};
  const uint32_t value = kValues[static_cast<size_t>(verdict)];
  bpf_map_update_elem(maps_->fd("sonde_verdicts"), &connection, &value, BPF_ANY);
}

Result<size_t> Kernel::Poll(EventHandler& handler, Milliseconds timeout) {
  ring_->Wait(timeout);
  // Read before the drain: what is committed during it may be older than the end of it.
  const uint64_t now_ns = MonotonicNow();
  const auto records = ring_->Drain([&](std::string_view record) {
    if (recording_ != nullptr) recording_->Write(record);
    counters_.Count(record, Decode(record, handler));
  });
  if (records.ok()) handler.OnTick(now_ns);
  return records;
}

}  // namespace sonde::kernel
