// SPDX-License-Identifier: Apache-2.0
// A probe family as data: what is hooked, what that needs, what it costs, and what to do when it
// does not work. The manifests are in probes/, src/kernel loads and attaches whatever they say.
#pragma once

#include <span>
#include <string_view>

#include "sonde/base/processor.h"

namespace sonde::probe {

// What a family is for. Of one part exactly one family is used; the manifests' order in the
// registry is the order of preference.
enum class Part { kSockets, kProcesses, kConnections, kTlsText, kMappings, kRuntimes };

enum class OnFailure {
  kFatal,   // sonde cannot work without this part: try the fallback, then give up
  kWarn,    // go on without it, say so
  kIgnore,  // go on without it
};

// When a program is attached, and to what.
enum class Attach {
  kAtLoad,          // to what its section names
  kUprobes,         // later, to instructions of files (Linux 5.15; many at once: 6.6)
  kUprobeSession,   // the same, with the return if the program asks for it (Linux 6.13)
  kUprobesInstead,  // as kUprobes, loaded only where the kernel has no sessions
};

struct Program {
  std::string_view name;  // in the object; its section says what it is attached to
  OnFailure on_failure = OnFailure::kFatal;  // of this program within the family
  Attach attach = Attach::kAtLoad;
};

struct Family {
  std::string_view name;    // as --probes and doctor say it
  std::string_view object;  // bpf/**/<object>.bpf.c
  Part part = Part::kSockets;
  OnFailure on_failure = OnFailure::kFatal;  // when the family and its fallback do not work
  std::span<const Program> programs;
  std::span<const std::string_view>
      tracepoints;          // kernel tracepoints it needs, for an understandable message
  std::string_view kernel;  // first kernel that has them, and not the function below
  // A function of older kernels by which bytes are moved that its tracepoints do not tell of.
  std::string_view bypass = "";
  std::string_view fallback;  // family name, or empty
  std::string_view cost;      // measured
  std::string_view without;   // what is lost when it is off
  bool socket_table = false;  // keeps its state in a map instead of on the socket
  std::string_view base_object =
      "";  // the same for Linux 5.8 to 5.11 (bpf/base); empty: `object` is for those, too
  Processors processors = Processors::kX86AndArm64;
};

// Every family sonde knows, preferred ones first. Defined in probes/registry.cpp.
std::span<const Family* const> Families();

}  // namespace sonde::probe
