// SPDX-License-Identifier: Apache-2.0
// Every runtime manifest, declared; runtimes.cpp lists them.
#pragma once

#include "sonde/probe/runtime.h"

namespace sonde::probe {

// Recognised only (runtime/unread).
extern const Runtime kDotnet;
extern const Runtime kErlang;

extern const Runtime kCPython;
extern const Runtime kCPythonQueue;
extern const Runtime kUvloop;
extern const Runtime kGo;
extern const Runtime kHaproxy;
extern const Runtime kHotspot;
extern const Runtime kNode;
extern const Runtime kRuby;
extern const Runtime kTokio;

}  // namespace sonde::probe
