// SPDX-License-Identifier: Apache-2.0
#include "kernel/uprobes.h"

#include <absl/status/status.h>
#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kernel/file_descriptor.h"
#include "kernel/host.h"
#include "kernel/loaded_family.h"
#include "kernel/shared_maps.h"
#include "kernel/uprobe_link.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/base/clock.h"
#include "sonde/base/result.h"
#include "sonde/probe/prober.h"
#include "sonde/probe/runtime.h"
#include "sonde/probe/tls.h"

namespace sonde::kernel {
namespace {

constexpr size_t kSlots = 4096;         // max_entries of sonde_tls_probes and sonde_runtime_probes
constexpr uint32_t kTracedRuntime = 4;  // SONDE_TRACED_RUNTIME of bpf/maps/traced.bpf.h

// See sonde_tls_probe.object_bytes.
uint32_t ObjectBytes(const sonde_tls_probe& spec) {
  constexpr uint32_t kNumber = 4, kPointer = 8, kRandom = 16;  // as much of each as is looked at
  uint32_t bytes = 0;
  const auto hold = [&bytes](int32_t offset, uint32_t size) {
    if (offset >= 0) bytes = std::max(bytes, static_cast<uint32_t>(offset) + size);
  };
  if (spec.random_pointer >= 0) {
    hold(spec.random_pointer, kPointer);
  } else {
    hold(spec.random, kRandom);
  }
  hold(spec.server, kNumber);
  hold(spec.handshake, kNumber);
  hold(spec.unready, kNumber);
  hold(spec.bio, kPointer);
  return bytes <= SONDE_TLS_OBJECT_BYTES ? bytes : 0;
}

Status TooMany() { return absl::ResourceExhaustedError("more than 4096 probed instructions"); }

}  // namespace

class Uprobes::Links final : public Attachment {
 public:
  // `methods_map`: sonde_tls_methods, of a TLS library.
  explicit Links(Slots& owner, int methods_map = -1) : owner_(owner), methods_map_(methods_map) {}
  ~Links() override {
    fds.clear();
    for (const sonde_tls_method& method : methods_) bpf_map_delete_elem(methods_map_, &method);
    owner_.Give(slots);
  }

  Status AddMethods(const probe::TlsPoint& point, int slot) {
    for (const int64_t distance : point.methods) {
      const sonde_tls_method method = {.distance = distance, .probe = static_cast<__u64>(slot)};
      const uint8_t one = 1;
      if (bpf_map_update_elem(methods_map_, &method, &one, BPF_ANY) != 0) {
        return absl::ErrnoToStatus(errno, "cannot name a method");
      }
      methods_.push_back(method);
    }
    return absl::OkStatus();
  }

  // -1: there is none left.
  int TakeSlot() {
    const int slot = owner_.Take();
    if (slot >= 0) slots.push_back(static_cast<uint32_t>(slot));
    return slot;
  }

  std::vector<uint32_t> slots;
  std::vector<FileDescriptor> fds;

 private:
  Slots& owner_;
  int methods_map_;
  std::vector<sonde_tls_method> methods_;  // that this attachment has put there
};

Uprobes::Uprobes(std::shared_ptr<SharedMaps> maps)
    : maps_(std::move(maps)), text_slots_(kSlots), runtime_slots_(kSlots) {}

Result<std::unique_ptr<Uprobes>> Uprobes::Create(const LoadedFamily* tls,
                                                 const LoadedFamily* runtime,
                                                 std::shared_ptr<SharedMaps> maps) {
  std::unique_ptr<Uprobes> uprobes(new Uprobes(std::move(maps)));
  // Reading the kernel's types takes ten milliseconds: a library is used by then.
  uprobes->multi_type_ = AttachType("BPF_TRACE_UPROBE_MULTI").value_or(0);
  uprobes->session_type_ = AttachType("BPF_TRACE_UPROBE_SESSION").value_or(0);
  if (tls != nullptr) {
    uprobes->text_ = ProgramOf(*tls, "sonde_tls_text");
    uprobes->session_ = ProgramOf(*tls, "sonde_tls_call");
    uprobes->enter_ = ProgramOf(*tls, "sonde_tls_enter");
    uprobes->leave_ = ProgramOf(*tls, "sonde_tls_leave");
    const bool follows =
        uprobes->session_.valid() || (uprobes->enter_.valid() && uprobes->leave_.valid());
    if (!uprobes->text_.valid() || !follows) {
      return absl::InternalError("tls: a program is missing");
    }
  }
  if (runtime != nullptr) {
    uprobes->runtime_at_ = ProgramOf(*runtime, "sonde_runtime_at");
    uprobes->runtime_return_ = ProgramOf(*runtime, "sonde_runtime_return");
    if (!uprobes->runtime_at_.valid() || !uprobes->runtime_return_.valid()) {
      return absl::InternalError("runtime: a program is missing");
    }
  }
  return uprobes;
}

Result<std::unique_ptr<probe::Prober::Attachment>> Uprobes::Attach(
    int file, std::span<const probe::TlsPoint> points) {
  if (!text_.valid()) return absl::UnimplementedError("probe family tls is off");
  auto attachment = std::make_unique<Links>(text_slots_, maps_->fd("sonde_tls_methods"));
  const int map = maps_->fd("sonde_tls_probes");
  UprobeSites at;
  UprobeSites followed;
  std::vector<sonde_tls_probe> specs;  // as attachment->slots
  specs.reserve(points.size());
  for (const probe::TlsPoint& point : points) {
    const int slot = attachment->TakeSlot();
    if (slot < 0) return TooMany();
    sonde_tls_probe& spec = specs.emplace_back(point.spec);
    spec.object_bytes = ObjectBytes(spec);
    if (bpf_map_update_elem(map, &slot, &spec, BPF_ANY) != 0) {
      return absl::ErrnoToStatus(errno, "cannot describe a probe");
    }
    if (Status named = attachment->AddMethods(point, slot); !named.ok()) return named;
    (point.follows_return ? followed : at).Add(point.file_offset, static_cast<uint64_t>(slot));
  }
  auto& fds = attachment->fds;
  Status status = LinkUprobes(text_.get(), multi_type_, file, at, false, fds);
  if (status.ok() && sessions()) {
    status = LinkUprobes(session_.get(), session_type_, file, followed, false, fds);
  } else if (status.ok()) {
    // The return first: an entry without it would be remembered for nothing.
    status = LinkUprobes(leave_.get(), multi_type_, file, followed, true, fds);
    if (status.ok()) status = LinkUprobes(enter_.get(), multi_type_, file, followed, false, fds);
  }
  if (!status.ok()) return status;
  for (size_t i = 0; i < specs.size(); ++i) {
    specs[i].attached_ns = MonotonicNow();
    bpf_map_update_elem(map, &attachment->slots[i], &specs[i], BPF_ANY);
  }
  return attachment;
}

Result<std::unique_ptr<probe::Prober::Attachment>> Uprobes::Attach(
    int file, const sonde_runtime& layout, std::span<const probe::RuntimePoint> points) {
  if (!runtime_at_.valid()) return absl::UnimplementedError("probe family runtime is off");
  auto attachment = std::make_unique<Links>(runtime_slots_);
  UprobeSites at;
  UprobeSites returns;
  for (const probe::RuntimePoint& point : points) {
    const int slot = attachment->TakeSlot();
    if (slot < 0) return TooMany();
    const sonde_runtime_probe spec = {
        .subject = point.subject, .event = point.event, .detail = point.detail, .runtime = layout};
    if (bpf_map_update_elem(maps_->fd("sonde_runtime_probes"), &slot, &spec, BPF_ANY) != 0) {
      return absl::ErrnoToStatus(errno, "cannot describe a probe");
    }
    (point.at_return ? returns : at).Add(point.file_offset, static_cast<uint64_t>(slot));
  }
  auto& fds = attachment->fds;
  Status status = LinkUprobes(runtime_at_.get(), multi_type_, file, at, false, fds);
  if (status.ok()) {
    status = LinkUprobes(runtime_return_.get(), multi_type_, file, returns, true, fds);
  }
  if (!status.ok()) return status;
  return attachment;
}

void Uprobes::SetRuntime(uint32_t tgid, const sonde_runtime& runtime) {
  const int traced = maps_->fd("sonde_traced");
  uint32_t flags = 0;
  if (bpf_map_lookup_elem(traced, &tgid, &flags) != 0) return;  // gone, or not traced any more
  if (bpf_map_update_elem(maps_->fd("sonde_runtimes"), &tgid, &runtime, BPF_ANY) != 0) return;
  flags |= kTracedRuntime;
  bpf_map_update_elem(traced, &tgid, &flags, BPF_EXIST);
}

std::optional<sonde_runtime> Uprobes::RuntimeOf(uint32_t tgid) const {
  sonde_runtime runtime{};
  if (bpf_map_lookup_elem(maps_->fd("sonde_runtimes"), &tgid, &runtime) != 0) return std::nullopt;
  return runtime;
}

void Uprobes::SetParker(uint32_t tgid, uint64_t parker, uint32_t tid) {
  const sonde_parker_key key = {.parker = parker, .tgid = tgid, .reserved = 0};
  const sonde_parker parked = {.tid = tid, .woken = 0};
  const int map = maps_->fd("sonde_parkers");
  if (map >= 0) bpf_map_update_elem(map, &key, &parked, BPF_NOEXIST);
}

void Uprobes::MarkPlain(uint64_t inode, uint32_t device, uint64_t bytes) {
  struct {
    uint64_t inode;
    uint64_t device;
    uint64_t bytes;
  } const key{inode, device, bytes};
  const uint8_t one = 1;
  const int map = maps_->fd("sonde_files_plain");
  if (map >= 0) bpf_map_update_elem(map, &key, &one, BPF_ANY);
}

}  // namespace sonde::kernel
