// SPDX-License-Identifier: Apache-2.0
// Where the fields of a goroutine are: by version, and only if the program's own code agrees.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "binary/code.h"
#include "sonde/abi/runtime.h"
#include "sonde/base/result.h"

namespace sonde::probe {

// The functions of a program's runtime that tell.
struct GoRuntimeCode {
  std::vector<binary::Instruction> header;   // goroutineheader
  std::vector<binary::Instruction> create;   // newproc1
  std::vector<binary::Instruction> receive;  // chanrecv
  std::vector<binary::Instruction> release;  // releaseSudog
  uint64_t enqueue = UINT64_MAX;             // (*waitq).enqueue, where it is not inlined
};

// All but `g`. `version`: "go1.26.8"; empty if the program hides it.
Result<sonde_go_layout> GoFields(const GoRuntimeCode& code, std::string_view version);

}  // namespace sonde::probe
