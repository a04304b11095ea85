// SPDX-License-Identifier: Apache-2.0
// What /proc says about a process, for the two stages that need it (discovery, resource). The
// reader takes a root directory, so that a fake tree drives tests; it keeps no state and is copied
// freely. Every read is bounded, and a process that is gone, or hides a file, is normal: the
// missing part stays empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/pipeline/workload.h"

namespace sonde {

// Parts of ProcessFacts that cost a file each; pid, parent, start, comm and kernel_thread are
// always read.
enum ProcessField : uint8_t {
  kFieldExe = 1,
  kFieldArgs = 2,
  kFieldEnv = 4,
  kFieldCgroups = 8,
  kFieldOwner = 16,
  kFieldCwd = 32,
  kFieldPorts = 64,
  kFieldWorkload = 128,  // membership, and what the reader's WorkloadSource knows of it
};

struct ProcessFacts {
  uint32_t pid = 0;
  uint32_t parent = 0;
  uint32_t uid = 0;  // effective; valid if has_uid
  bool has_uid = false;
  bool kernel_thread = false;
  bool truncated = false;  // arguments or environment were longer than what is read
  // Written over, as servers do that show a title (nginx, PostgreSQL): `env` then has what the
  // container is described with.
  bool env_overwritten = false;
  uint64_t start_ticks =
      0;  // clock ticks (100 per second) since boot: with pid, names a process for good
  std::string comm;
  std::string exe;  // target of the exe link; " (deleted)" removed
  std::string cwd;
  std::vector<std::string> args;       // as in cmdline, at most 64 KiB
  Variables env;                       // wanted names only
  std::vector<std::string> cgroups;    // distinct paths, version 2's first
  std::vector<uint16_t> listen_ports;  // TCP, ascending
  bool has_tcp = false;                // holds a listening or connected TCP socket; kFieldPorts
  bool has_socket = false;             // holds any socket; kFieldPorts
  Surroundings around;                 // kFieldWorkload

  std::string_view exe_name() const;  // base name of exe, else comm
  const std::string* Env(std::string_view name) const;
};

// Values of telemetry.sdk.language, and kGeneric for native code that nothing more is known of.
enum class Language : uint8_t {
  kGeneric,
  kCpp,
  kDotnet,
  kErlang,
  kGo,
  kJava,
  kNodejs,
  kPhp,
  kPython,
  kRuby,
  kRust,
};
std::string_view LanguageName(Language language);

struct RuntimeFacts {
  Language language = Language::kGeneric;
  std::string name;     // process.runtime.name, empty if not known
  std::string version;  // process.runtime.version, only where it is exact
};

class ProcessReader {
 public:
  // `workloads` outlives the reader and its copies; null: containers are known by their ids only.
  explicit ProcessReader(std::string root = "/proc", WorkloadSource* workloads = nullptr)
      : root_(std::move(root)), workloads_(workloads) {}
  // Sees nothing: for replays, whose process numbers belong to another host or time.
  static ProcessReader None() { return ProcessReader(""); }

  bool sees_anything() const { return !root_.empty(); }
  const std::string& root() const { return root_; }

  // All processes, ascending.
  std::vector<uint32_t> Pids() const;
  // Empty if the process is gone. `fields`: ProcessField bits; `wanted_env`: names kept with
  // kFieldEnv.
  std::optional<ProcessFacts> Read(uint32_t pid, uint32_t fields,
                                   std::span<const std::string> wanted_env = {}) const;
  // What the source knows of it now.
  Surroundings Ask(Membership membership) const;
  // From the executable's name and ELF sections; needs kFieldExe. Valid from the exec on, before
  // libraries are mapped.
  RuntimeFacts Runtime(const ProcessFacts& facts) const;

  // First `limit` bytes of root/`name`, or nothing. Fewer bytes than the file has: `*truncated` is
  // set.
  std::optional<std::string> ReadFile(std::string_view name, size_t limit,
                                      bool* truncated = nullptr) const;

 private:
  std::string root_;
  WorkloadSource* workloads_;
};

}  // namespace sonde
