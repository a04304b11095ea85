// SPDX-License-Identifier: Apache-2.0
// Attaches one program to many instructions of one file: by one link (Linux 6.6: BPF_LINK_CREATE,
// uprobe_multi, which the libbpf that sonde is built with does not know), or by one for each (5.15:
// a perf event whose link has a cookie). Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "kernel/file_descriptor.h"
#include "kernel/loaded_family.h"
#include "sonde/base/result.h"

namespace sonde::kernel {

// Where the instructions are, and the number the program sees when it runs at each.
struct UprobeSites {
  std::vector<uint64_t> offsets;  // in the file
  std::vector<uint64_t> cookies;
  void Add(uint64_t offset, uint64_t cookie) {
    offsets.push_back(offset);
    cookies.push_back(cookie);
  }
};

// Adds to `links` what keeps the probes in; closing it takes them out, which waits for the kernel.
// `attach_type`: what the program was loaded with; 0: one link per site. All sites or, on error,
// none.
Status LinkUprobes(int program, uint32_t attach_type, int file, const UprobeSites& sites,
                   bool at_return, std::vector<FileDescriptor>& links);

// A program of a loaded family, invalid if it has none of that name.
FileDescriptor ProgramOf(const LoadedFamily& family, const char* name);

// Numbers 0 .. count-1, each given to one at a time.
class Slots {
 public:
  explicit Slots(size_t count) : taken_(count) {}
  // -1: all are taken.
  int Take();
  void Give(const std::vector<uint32_t>& slots);

 private:
  std::mutex mutex_;
  std::vector<bool> taken_;
};

}  // namespace sonde::kernel
