// SPDX-License-Identifier: Apache-2.0
// The files a process has mapped, from /proc/PID/maps, and how to open one although its path may
// belong to another mount namespace, or may be gone.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kernel/file_descriptor.h"

namespace sonde::tls {

// A file as this process's maps names it.
struct FileId {
  uint64_t inode = 0;
  uint32_t device = 0;  // major << 20 | minor
  friend auto operator<=>(const FileId&, const FileId&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const FileId& id) {
    return H::combine(std::move(state), id.inode, id.device);
  }
};

struct MappedFile {
  FileId id;
  std::string path;    // as in maps: in the process's mount namespace, perhaps " (deleted)"
  std::string range;   // "7f00-7f10", of its first mapping, as map_files names it
  uint64_t start = 0;  // of that range
};

// Distinct regular-looking files, likely TLS libraries and the executable first. Empty if the
// process is gone or may not be read. `proc`: "/proc", or a fake tree.
std::vector<MappedFile> ReadMappedFiles(const std::string& proc, uint32_t tgid);

// Invalid if it cannot be opened or is no regular file. A path, too, is looked up as the process
// itself sees it.
kernel::FileDescriptor OpenPath(const std::string& proc, uint32_t tgid, const std::string& path);
kernel::FileDescriptor OpenMapped(const std::string& proc, uint32_t tgid, const MappedFile& file);

}  // namespace sonde::tls
