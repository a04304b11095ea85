// SPDX-License-Identifier: Apache-2.0
// The little that is asked of an executable file: was it made by Go or Rust, does it need
// libstdc++. Reads at most about 200 KiB of a file that may be anything.
#pragma once

#include <string>

namespace sonde::discovery {

struct ElfFacts {
  bool elf = false;
  bool go = false;
  bool rust = false;
  bool cpp = false;        // needs libstdc++ or libc++
  bool python = false;     // needs libpython: an embedding program
  std::string go_version;  // "go1.22.3", Go 1.18 and later
};

ElfFacts ReadElfFacts(const std::string& path);

}  // namespace sonde::discovery
