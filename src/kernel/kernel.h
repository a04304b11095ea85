// SPDX-License-Identifier: Apache-2.0
// The kernel side as the daemon sees it: probe families chosen, loaded and attached, the traced
// flag, verdicts, and the ring buffer drained into typed events. Drain thread; the metric callbacks
// read maps from other threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/event_counters.h"
#include "kernel/family_choice.h"
#include "kernel/file_descriptor.h"
#include "kernel/loaded_family.h"
#include "kernel/recording_writer.h"
#include "kernel/ring.h"
#include "kernel/shared_maps.h"
#include "kernel/uprobes.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/protocol.h"
#include "sonde/probe/family.h"

namespace sonde::kernel {

struct KernelOptions {
  bool watch_exec = false;    // EXEC records of processes that are not traced, too
  bool watch_listen = false;  // LISTEN records of any process
  bool hot_wakes = false;     // wakes of runtimes in which they are on a hot path
  std::string record_file;    // empty = no recording
};

class Kernel {
 public:
  // kPermissionDenied, kUnimplemented: the host does not allow it, one line per missing thing with
  // its remedy. `metrics` outlives the object's last snapshot.
  static Result<std::unique_ptr<Kernel>> Create(const CaptureOptions& capture,
                                                const KernelOptions& options,
                                                MetricRegistry& metrics);
  ~Kernel();

  // Takes effect at the process's next call; children made from then on inherit it.
  Status Trace(uint32_t tgid);
  void Untrace(uint32_t tgid);
  // Before probes are taken out one by one: what one tells is not to be read without the others.
  void UntraceAll();
  bool IsTraced(uint32_t tgid) const;
  // What userspace found out about a connection; obeyed at the next I/O that the kernel side is
  // unsure about. `recognised`: capture it although it did not look like HTTP/1. Else: nothing more
  // from it, for good.
  void SetVerdict(ConnectionId connection, Verdict verdict);

  // Waits up to `timeout` or for a process record, then hands every record that is there to
  // `handler`, and ticks it. The number of records.
  Result<size_t> Poll(EventHandler& handler, Milliseconds timeout);
  // No more records come; what is in the ring can still be polled.
  void Detach() { loaded_.clear(); }

  // Probes in TLS libraries and runtimes; never null.
  Uprobes* uprobes() { return uprobes_.get(); }
  bool has(probe::Part part) const { return Loaded(part) != nullptr; }
  // False: processes must be looked at from time to time for what they have mapped.
  bool reports_mappings() const;

  const std::vector<FamilyState>& families() const { return states_; }
  RecordingWriter* recording() { return recording_.get(); }

 private:
  Kernel(size_t ring_bytes, MetricRegistry& metrics)
      : maps_(std::make_shared<SharedMaps>(ring_bytes)), counters_(metrics) {}

  // Null if no family serves it.
  const LoadedFamily* Loaded(probe::Part part) const;

  std::shared_ptr<SharedMaps> maps_;  // shared with metric callbacks, which may outlive this object
  std::vector<std::unique_ptr<LoadedFamily>> loaded_;
  std::vector<FamilyState> states_;
  std::unique_ptr<Uprobes> uprobes_;
  std::unique_ptr<RecordingWriter> recording_;
  std::unique_ptr<Ring> ring_;
  EventCounters counters_;
};

}  // namespace sonde::kernel
