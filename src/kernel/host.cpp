// SPDX-License-Identifier: Apache-2.0
#include "kernel/host.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <bpf/btf.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sonde/base/result.h"

namespace sonde::kernel {
namespace {

// Numbers of <linux/capability.h>.
struct Capability {
  const char* name;
  int bit;
};
constexpr Capability kSysPtrace = {"CAP_SYS_PTRACE", 19};
constexpr Capability kSysAdmin = {"CAP_SYS_ADMIN", 21};
constexpr Capability kPerfmon = {"CAP_PERFMON", 38};
constexpr Capability kBpf = {"CAP_BPF", 39};

// The hexadecimal CapEff line of /proc/self/status.
uint64_t EffectiveCapabilities(const std::string& status) {
  return std::strtoull(StatusLine(status, "CapEff:").c_str(), nullptr, 16);
}

// The first of them has a number of its own (PROC_PID_INIT_INO).
bool InHostPidNamespace(const std::string& root) {
  char name[64] = {};
  const ssize_t size = readlink((root + "/proc/self/ns/pid").c_str(), name, sizeof(name) - 1);
  return size <= 0 || std::string_view(name) == "pid:[4026531836]";
}

bool Has(uint64_t capabilities, Capability capability) {
  return (capabilities >> capability.bit & 1) != 0;
}

// "none [integrity] confidentiality" -> "integrity"
std::string ActiveLockdown(const std::string& text) {
  const size_t from = text.find('[');
  const size_t to = text.find(']');
  if (from == std::string::npos || to == std::string::npos || to < from) return "";
  return text.substr(from + 1, to - from - 1);
}

void AddMissingCapability(Host& host, Capability capability, const char* why) {
  host.missing.push_back(
      {true, absl::StrCat(capability.name, " is missing: ", why),
       geteuid() == 0 ? absl::StrCat("add ", capability.name, " to the container or service")
                      : absl::StrCat("run as root (sudo), or grant ", capability.name)});
}

void CheckCapabilities(Host& host, uint64_t effective) {
  for (const Capability& capability : {kBpf, kPerfmon, kSysPtrace, kSysAdmin}) {
    if (Has(effective, capability)) host.capabilities.emplace_back(capability.name);
  }
  const bool admin = Has(effective, kSysAdmin);
  if (!admin && !Has(effective, kBpf)) AddMissingCapability(host, kBpf, "no program can be loaded");
  if (!admin && !Has(effective, kPerfmon))
    AddMissingCapability(host, kPerfmon, "no tracepoint can be attached");
  if (!Has(effective, kSysPtrace)) {
    AddMissingCapability(host, kSysPtrace, "other users' processes cannot be identified");
  }
}

// Members of the running kernel's enums of attach types and helpers. Reading the kernel's types
// takes ten milliseconds, so it is done once.
const std::map<std::string, uint32_t>& KernelNumbers() {
  static const std::map<std::string, uint32_t> numbers = [] {
    std::map<std::string, uint32_t> found;
    const std::unique_ptr<btf, void (*)(btf*)> types(btf__load_vmlinux_btf(), btf__free);
    for (const char* name : {"bpf_attach_type", "bpf_func_id"}) {
      const int id =
          types == nullptr ? -1 : btf__find_by_name_kind(types.get(), name, BTF_KIND_ENUM);
      if (id <= 0) continue;
      const btf_type* type = btf__type_by_id(types.get(), static_cast<__u32>(id));
      const auto* members = btf_enum(type);
      for (int i = 0; i < btf_vlen(type); ++i) {
        found.emplace(btf__name_by_offset(types.get(), members[i].name_off),
                      static_cast<uint32_t>(members[i].val));
      }
    }
    return found;
  }();
  return numbers;
}

bool HasType(const std::string& name, uint32_t kind) {
  const std::unique_ptr<btf, void (*)(btf*)> types(btf__load_vmlinux_btf(), btf__free);
  return types != nullptr && btf__find_by_name_kind(types.get(), name.c_str(), kind) > 0;
}

}  // namespace

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string StatusLine(const std::string& status, std::string_view key) {
  const size_t at = status.find("\n" + std::string(key));
  if (at == std::string::npos) return "";
  const size_t from = status.find_first_not_of(" \t", at + 1 + key.size());
  return from == std::string::npos ? "" : status.substr(from, status.find('\n', from) - from);
}

Host ReadHost(const std::string& root) {
  Host host;
  host.kernel_release = ReadText(root + "/proc/sys/kernel/osrelease");
  host.btf = access((root + "/sys/kernel/btf/vmlinux").c_str(), R_OK) == 0;
  host.lockdown = ActiveLockdown(ReadText(root + "/sys/kernel/security/lockdown"));
  host.bpf_stats = ReadText(root + "/proc/sys/kernel/bpf_stats_enabled") == "1";
  rlimit limit = {};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  host.memlock_bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
  CheckCapabilities(host, EffectiveCapabilities(ReadText(root + "/proc/self/status")));
  if (!host.btf) {
    host.missing.push_back({false,
                            "the kernel has no BTF type information (/sys/kernel/btf/vmlinux)",
                            "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, and in a container "
                            "the host's /sys"});
  }
  if (!InHostPidNamespace(root)) {
    host.missing.push_back({false,
                            "this PID namespace is not the host's: the kernel knows processes by "
                            "other numbers than /proc",
                            "run the container with --pid=host (Kubernetes: hostPID: true)"});
  }
  if (host.lockdown == "confidentiality") {
    host.missing.push_back(
        {false, "kernel lockdown is in confidentiality mode: programs may not read memory",
         "boot with lockdown=integrity or without lockdown"});
  }
  return host;
}

Status CheckHost(const Host& host) {
  if (host.missing.empty()) return absl::OkStatus();
  std::string message;
  bool permission = false;
  for (const Missing& missing : host.missing) {
    permission |= missing.permission;
    absl::StrAppend(&message, message.empty() ? "" : "\n", missing.what, "; ", missing.remedy);
  }
  return permission ? absl::PermissionDeniedError(message) : absl::UnimplementedError(message);
}

bool IsOlder(std::string_view release, std::string_view version) {
  const auto read = [](std::string_view text) {
    std::pair<unsigned, unsigned> number;
    const char* end = text.data() + text.size();
    const auto major = std::from_chars(text.data(), end, number.first);
    if (major.ptr != end) std::from_chars(major.ptr + 1, end, number.second);
    return number;
  };
  return read(release) < read(version);
}

bool HasTracepoint(const std::string& name) {
  return HasType("btf_trace_" + name, BTF_KIND_TYPEDEF);
}

bool HasFunction(const std::string& name) { return HasType(name, BTF_KIND_FUNC); }

std::optional<uint32_t> AttachType(const std::string& name) {
  const auto found = KernelNumbers().find(name);
  return found == KernelNumbers().end() ? std::nullopt : std::optional(found->second);
}

bool HasHelper(const std::string& name) { return KernelNumbers().contains(name); }

}  // namespace sonde::kernel
