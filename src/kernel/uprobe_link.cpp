// SPDX-License-Identifier: Apache-2.0
#include "kernel/uprobe_link.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kernel/file_descriptor.h"
#include "kernel/loaded_family.h"
#include "sonde/base/result.h"

namespace sonde::kernel {
namespace {

constexpr uint32_t kReturn = 1;  // BPF_F_UPROBE_MULTI_RETURN

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

Result<FileDescriptor> LinkAll(int program, uint32_t attach_type, const std::string& path,
                               const UprobeSites& sites, bool at_return) {
  LinkCreate attr = {};
  attr.program = static_cast<uint32_t>(program);
  attr.attach_type = attach_type;
  attr.path = reinterpret_cast<uint64_t>(path.c_str());
  attr.offsets = reinterpret_cast<uint64_t>(sites.offsets.data());
  attr.cookies = reinterpret_cast<uint64_t>(sites.cookies.data());
  attr.count = static_cast<uint32_t>(sites.offsets.size());
  attr.uprobe_flags = at_return ? kReturn : 0;
  const auto fd = static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)));
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot attach uprobes");
  return FileDescriptor(fd);
}

// The kernel numbers its kinds of perf events as they come; 0 if it has no such kind.
uint32_t UprobeEventType() {
  uint32_t type = 0;
  std::ifstream("/sys/bus/event_source/devices/uprobe/type") >> type;
  return type;
}

// Of every process and processor: the program runs wherever the instruction does, though the event
// is nominally processor 0's.
Result<FileDescriptor> OpenUprobe(uint32_t type, const std::string& path, uint64_t offset,
                                  bool at_return) {
  perf_event_attr attr = {};
  attr.size = sizeof(attr);
  attr.type = type;
  attr.config = at_return ? 1 : 0;  // format/retprobe: config:0
  attr.uprobe_path = reinterpret_cast<uint64_t>(path.c_str());
  attr.probe_offset = offset;
  const auto fd =
      static_cast<int>(syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot make a uprobe");
  return FileDescriptor(fd);
}

Status LinkEach(int program, const std::string& path, const UprobeSites& sites, bool at_return,
                std::vector<FileDescriptor>& links) {
  const uint32_t type = UprobeEventType();
  if (type == 0) return absl::UnimplementedError("the kernel has no uprobes as perf events");
  std::vector<FileDescriptor> made;
  for (size_t i = 0; i < sites.offsets.size(); ++i) {
    auto event = OpenUprobe(type, path, sites.offsets[i], at_return);
    if (!event.ok()) return event.status();
    bpf_link_create_opts options = {};
    options.sz = sizeof(options);
    options.perf_event.bpf_cookie = sites.cookies[i];
    // The link holds the event.
    const int link = bpf_link_create(program, event->get(), BPF_PERF_EVENT, &options);
    if (link < 0) return absl::ErrnoToStatus(-link, "cannot attach a uprobe");
    made.emplace_back(link);
  }
  std::ranges::move(made, std::back_inserter(links));
  return absl::OkStatus();
}

}  // namespace

Status LinkUprobes(int program, uint32_t attach_type, int file, const UprobeSites& sites,
                   bool at_return, std::vector<FileDescriptor>& links) {
  if (sites.offsets.empty()) return absl::OkStatus();
  const std::string path = absl::StrCat("/proc/self/fd/", file);
  if (attach_type == 0) return LinkEach(program, path, sites, at_return, links);
  auto link = LinkAll(program, attach_type, path, sites, at_return);
  if (!link.ok()) return link.status();
  links.push_back(*std::move(link));
  return absl::OkStatus();
}

FileDescriptor ProgramOf(const LoadedFamily& family, const char* name) {
  const bpf_program* program = bpf_object__find_program_by_name(family.object(), name);
  const int fd = program == nullptr ? -1 : bpf_program__fd(program);
  return fd < 0 ? FileDescriptor() : FileDescriptor::DuplicateOf(fd);
}

int Slots::Take() {
  const std::scoped_lock lock(mutex_);
  const auto free = std::ranges::find(taken_, false);
  if (free == taken_.end()) return -1;
  *free = true;
  return static_cast<int>(free - taken_.begin());
}

void Slots::Give(const std::vector<uint32_t>& slots) {
  const std::scoped_lock lock(mutex_);
  for (const uint32_t slot : slots) taken_[slot] = false;
}

}  // namespace sonde::kernel
