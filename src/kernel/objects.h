// SPDX-License-Identifier: Apache-2.0
// The compiled kernel programs, as they are built into this binary.
#pragma once

#include <string_view>

namespace sonde::kernel {

// ELF bytes of bpf/**/<name>.bpf.c; empty if there is no such object.
std::string_view ObjectBytes(std::string_view name);

}  // namespace sonde::kernel
