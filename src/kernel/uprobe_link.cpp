// SPDX-License-Identifier: Apache-2.0
#include "kernel/uprobe_link.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <bpf/libbpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <string>
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

}  // namespace

Result<FileDescriptor> LinkUprobes(int program, uint32_t attach_type, int file, UprobeSites sites,
                                   bool at_return) {
  if (sites.offsets.empty()) return FileDescriptor();
  const std::string path = absl::StrCat("/proc/self/fd/", file);
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
