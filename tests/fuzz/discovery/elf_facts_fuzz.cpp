// SPDX-License-Identifier: Apache-2.0
// The executable of a traced process may be any file.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "discovery/elf_facts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int fd = memfd_create("elf", MFD_CLOEXEC);
  if (ftruncate(fd, 0) != 0) std::abort();
  if (pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  const auto facts = sonde::discovery::ReadElfFacts("/proc/self/fd/" + std::to_string(fd));
  if (facts.go_version.size() > 127 || (facts.go && !facts.elf)) std::abort();
  return 0;
}
