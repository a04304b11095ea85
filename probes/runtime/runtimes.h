// SPDX-License-Identifier: Apache-2.0
// Every runtime manifest, declared; runtimes.cpp lists them.
#pragma once

#include "sonde/probe/runtime.h"

namespace sonde::probe {

// Recognised only (runtime/unread).
extern const Runtime kDotnet;
extern const Runtime kErlang;

extern const Runtime kCPython;       // runtime/cpython
extern const Runtime kCPythonQueue;  // runtime/cpython
extern const Runtime kNode;          // runtime/node
extern const Runtime kGo;            // runtime/go
extern const Runtime kTokio;         // runtime/tokio

}  // namespace sonde::probe
