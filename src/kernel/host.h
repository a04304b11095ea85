// SPDX-License-Identifier: Apache-2.0
// What this host and this process allow, read from /proc and /sys: before anything is loaded, so
// that the operator hears of a missing capability instead of "Operation not permitted".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/result.h"

namespace sonde::kernel {

struct Missing {
  bool permission = false;  // a privilege (else: a kernel feature)
  std::string what;
  std::string remedy;
};

struct Host {
  std::string kernel_release;
  bool btf = false;
  std::string lockdown;  // "none", "integrity", "confidentiality"; "" = the kernel has no lockdown
  bool bpf_stats = false;
  uint64_t memlock_bytes = 0;             // RLIMIT_MEMLOCK; UINT64_MAX = unlimited
  std::vector<std::string> capabilities;  // of those that matter here, the effective ones
  std::vector<Missing> missing;           // what makes capture impossible
};

// The text of a file without the line ends behind it, empty if it cannot be read.
std::string ReadText(const std::string& path);
// Of the text of /proc/PID/status the value behind "\nKEY", which ends with a colon; empty if it is
// not there.
std::string StatusLine(const std::string& status, std::string_view key);

// `root` is prefixed to /proc and /sys, for tests.
Host ReadHost(const std::string& root = "");

// OK, or one line per missing thing with its remedy.
Status CheckHost(const Host& host);

// Is kernel `release` ("6.1.0-51-amd64") older than `version` ("6.3")? By number: distributions
// bring newer features to older kernels, so it explains a failure and never decides.
bool IsOlder(std::string_view release, std::string_view version);

// Does the kernel describe tracepoint `name` in its BTF? False too if there is no BTF.
bool HasTracepoint(const std::string& name);
// The same of a function.
bool HasFunction(const std::string& name);

// Number that the running kernel gives to a member of enum bpf_attach_type; empty if it has none of
// that name. Numbers have changed between versions before they settled.
std::optional<uint32_t> AttachType(const std::string& name);

// Does the running kernel have this helper function, a member of enum bpf_func_id?
bool HasHelper(const std::string& name);

}  // namespace sonde::kernel
