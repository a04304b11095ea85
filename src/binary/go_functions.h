// SPDX-License-Identifier: Apache-2.0
// Functions of a Go program by name. Their table, pclntab, is what the runtime prints stack traces
// from, so every Go program has it: stripped ones, too. The file may be hostile: work is bounded by
// the size of its tables, memory by a few pieces of them. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "binary/elf.h"
#include "sonde/base/result.h"

namespace sonde::binary {

// The functions of these names ("crypto/tls.(*Conn).Read"), in their order; empty where there is
// none, which may also mean that it was inlined everywhere. Ends are the beginnings of the
// functions that follow, so the padding between is included. kNotFound: no table of Go 1.16 or
// later.
Result<std::vector<std::optional<Function>>> FindGoFunctions(
    const Elf& elf, const std::vector<std::string_view>& names);

// "go1.22.3", as the linker wrote it down; empty for a program that is not Go's or hides it.
std::string GoVersion(const Elf& elf);

}  // namespace sonde::binary
