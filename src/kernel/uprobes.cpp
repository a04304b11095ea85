// SPDX-License-Identifier: Apache-2.0
#include "kernel/uprobes.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernel/file_descriptor.h"
#include "kernel/host.h"
#include "kernel/loaded_family.h"
#include "kernel/shared_maps.h"
#include "sonde/abi/tls.h"
#include "sonde/base/clock.h"
#include "sonde/base/result.h"
#include "sonde/probe/prober.h"
#include "sonde/probe/tls.h"

namespace sonde::kernel {
namespace {

constexpr uint32_t kSlots = 4096;  // max_entries of sonde_tls_probes
constexpr uint32_t kReturn = 1;    // BPF_F_UPROBE_MULTI_RETURN

// bpf(2), BPF_LINK_CREATE with link_create.uprobe_multi (linux/bpf.h since 6.6): newer than the
// headers and the libbpf that sonde is built with.
struct LinkCreate {
  uint32_t program;
  uint32_t target;
  uint32_t attach_type;
  uint32_t flags;
  uint64_t path;
  uint64_t offsets;
  uint64_t reference_counters;
  uint64_t cookies;
  uint32_t count;
  uint32_t uprobe_flags;
  uint32_t pid;
  uint32_t reserved;
};

FileDescriptor ProgramOf(const LoadedFamily& family, const char* name) {
  const bpf_program* program = bpf_object__find_program_by_name(family.object(), name);
  const int fd = program == nullptr ? -1 : bpf_program__fd(program);
  return fd < 0 ? FileDescriptor() : FileDescriptor::DuplicateOf(fd);
}

}  // namespace

class Uprobes::Links final : public Attachment {
 public:
  explicit Links(Uprobes& owner) : owner_(owner) {}
  ~Links() override {
    fds.clear();
    owner_.GiveSlots(slots);
  }

  std::vector<uint32_t> slots;  // of sonde_tls_probes
  std::vector<FileDescriptor> fds;

 private:
  Uprobes& owner_;
};

Result<std::unique_ptr<Uprobes>> Uprobes::Create(const LoadedFamily& tls,
                                                 std::shared_ptr<SharedMaps> maps) {
  std::unique_ptr<Uprobes> uprobes(new Uprobes(std::move(maps)));
  uprobes->text_ = ProgramOf(tls, "sonde_tls_text");
  uprobes->session_ = ProgramOf(tls, "sonde_tls_call");
  uprobes->enter_ = ProgramOf(tls, "sonde_tls_enter");
  uprobes->leave_ = ProgramOf(tls, "sonde_tls_leave");
  // Reading the kernel's types takes ten milliseconds: a library is used by then.
  uprobes->multi_type_ = AttachType("BPF_TRACE_UPROBE_MULTI").value_or(0);
  uprobes->session_type_ = AttachType("BPF_TRACE_UPROBE_SESSION").value_or(0);
  uprobes->taken_.resize(kSlots);
  const bool follows =
      uprobes->session_.valid() || (uprobes->enter_.valid() && uprobes->leave_.valid());
  if (!uprobes->text_.valid() || !follows) {
    return absl::InternalError("tls: a program is missing");
  }
  return uprobes;
}

int Uprobes::TakeSlot() {
  const std::scoped_lock lock(mutex_);
  const auto free = std::ranges::find(taken_, false);
  if (free == taken_.end()) return -1;
  *free = true;
  return static_cast<int>(free - taken_.begin());
}

void Uprobes::GiveSlots(const std::vector<uint32_t>& slots) {
  const std::scoped_lock lock(mutex_);
  for (const uint32_t slot : slots) taken_[slot] = false;
}

Status Uprobes::Link(int program, uint32_t attach_type, int file, std::vector<uint64_t> offsets,
                     std::vector<uint64_t> cookies, bool at_return, Links& links) const {
  if (offsets.empty()) return absl::OkStatus();
  const std::string path = absl::StrCat("/proc/self/fd/", file);
  LinkCreate attr = {};
  attr.program = static_cast<uint32_t>(program);
  attr.attach_type = attach_type;
  attr.path = reinterpret_cast<uint64_t>(path.c_str());
  attr.offsets = reinterpret_cast<uint64_t>(offsets.data());
  attr.cookies = reinterpret_cast<uint64_t>(cookies.data());
  attr.count = static_cast<uint32_t>(offsets.size());
  attr.uprobe_flags = at_return ? kReturn : 0;
  const auto fd = static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)));
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot attach uprobes");
  links.fds.emplace_back(fd);
  return absl::OkStatus();
}

Result<std::unique_ptr<probe::Prober::Attachment>> Uprobes::Attach(
    int file, std::span<const probe::TlsPoint> points) {
  auto attachment = std::make_unique<Links>(*this);
  std::vector<uint64_t> offsets[2];  // by follows_return
  std::vector<uint64_t> cookies[2];
  for (const probe::TlsPoint& point : points) {
    const int slot = TakeSlot();
    if (slot < 0) return absl::ResourceExhaustedError("more than 4096 probed instructions");
    const auto index = static_cast<uint32_t>(slot);
    attachment->slots.push_back(index);
    if (bpf_map_update_elem(maps_->fd("sonde_tls_probes"), &index, &point.spec, BPF_ANY) != 0) {
      return absl::ErrnoToStatus(errno, "cannot describe a probe");
    }
    offsets[point.follows_return ? 1 : 0].push_back(point.file_offset);
    cookies[point.follows_return ? 1 : 0].push_back(index);
  }
  Status status = Link(text_.get(), multi_type_, file, offsets[0], cookies[0], false, *attachment);
  if (status.ok() && sessions()) {
    status = Link(session_.get(), session_type_, file, offsets[1], cookies[1], false, *attachment);
  } else if (status.ok()) {
    // The return first: an entry without it would be remembered for nothing.
    status = Link(leave_.get(), multi_type_, file, offsets[1], cookies[1], true, *attachment);
    if (status.ok())
      status = Link(enter_.get(), multi_type_, file, offsets[1], cookies[1], false, *attachment);
  }
  if (!status.ok()) return status;
  for (size_t i = 0; i < points.size(); ++i) {
    sonde_tls_probe spec = points[i].spec;
    spec.attached_ns = MonotonicNow();
    bpf_map_update_elem(maps_->fd("sonde_tls_probes"), &attachment->slots[i], &spec, BPF_ANY);
  }
  return attachment;
}

void Uprobes::MarkPlain(uint64_t inode, uint32_t device) {
  struct {
    uint64_t inode;
    uint64_t device;
  } const key{inode, device};
  const uint8_t one = 1;
  const int map = maps_->fd("sonde_files_plain");
  if (map >= 0) bpf_map_update_elem(map, &key, &one, BPF_ANY);
}

}  // namespace sonde::kernel
