// SPDX-License-Identifier: Apache-2.0
// Functions of extension modules, found in the table by which the interpreter finds them, too: by
// their Python names. Modules keep these names when they are stripped.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sonde::binary {
class Elf;
}

namespace sonde::probe {

// Bytes of a PyMethodDef: name, function, flags, documentation.
constexpr uint64_t kMethodBytes = 32;

struct Method {
  uint64_t function = 0;
  uint32_t flags = 0;  // METH_*
};

// The method at `entry` if that is its name.
std::optional<Method> MethodAt(const binary::Elf& elf, uint64_t entry, std::string_view name);

}  // namespace sonde::probe
