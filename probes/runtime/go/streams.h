// SPDX-License-Identifier: Apache-2.0
// Where a Go program with grpc-go, or HTTP/2 of net/http, says which goroutine works for which
// stream.
#pragma once

#include <string>

#include "binary/elf.h"
#include "sonde/probe/runtime.h"

namespace sonde::probe {

// Adds the points that are in the program. Returns what it has and cannot be told, and why; empty =
// nothing.
std::string AddStreams(const binary::Elf& elf, RuntimePlan& plan);

}  // namespace sonde::probe
