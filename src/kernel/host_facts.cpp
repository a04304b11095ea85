// SPDX-License-Identifier: Apache-2.0
#include "kernel/host_facts.h"

#include <absl/strings/match.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "kernel/host.h"

namespace sonde::kernel {
namespace {

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// Where a container's id is looked for.
HostFact ControlGroups(const std::string& root) {
  const std::string groups = root + "/sys/fs/cgroup";
  const bool unified = Exists(groups + "/cgroup.controllers");
  const bool both = Exists(groups + "/unified/cgroup.controllers");
  if (!unified && !both && !Exists(groups + "/memory")) return {"cgroups", "", ""};
  return {"cgroups", unified ? "v2" : both ? "v1 and v2" : "v1", "containers are known by either"};
}

// The numbers of /proc/PID/status: 0 none, 1 strict, 2 a filter.
HostFact Seccomp(const std::string& root) {
  const std::string mode = StatusLine(ReadText(root + "/proc/self/status"), "Seccomp:");
  if (mode.empty()) return {"seccomp", "", ""};
  if (mode == "0") return {"seccomp", "none", ""};
  return {"seccomp", "filter",
          "it must allow bpf and perf_event_open: a container runtime's own profile does if sonde "
          "has CAP_BPF and CAP_PERFMON"};
}

HostFact Paranoid(const std::string& root) {
  return {"perf_event_paranoid", ReadText(root + "/proc/sys/kernel/perf_event_paranoid"),
          "no concern of a process that has CAP_PERFMON"};
}

HostFact UnprivilegedBpf(const std::string& root) {
  return {"unprivileged_bpf_disabled",
          ReadText(root + "/proc/sys/kernel/unprivileged_bpf_disabled"),
          "no concern of a process that has CAP_BPF"};
}

// The EFI variable's last byte; before it are four of attributes.
HostFact SecureBoot(const std::string& root) {
  const std::string text =
      ReadText(root + "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
  if (text.size() != 5) return {"secure_boot", "", ""};
  return text.back() == 1 ? HostFact{"secure_boot", "on",
                                     "some distributions set lockdown with it; integrity is enough "
                                     "for sonde, confidentiality is not"}
                          : HostFact{"secure_boot", "off", ""};
}

HostFact Platform(const std::string& root) {
  const std::string release = ReadText(root + "/proc/sys/kernel/osrelease");
  if (absl::StrContains(release, "microsoft")) {
    return {"platform", "WSL2",
            "sonde sees the programs of this distribution's machine, not those of Windows"};
  }
  if (absl::StrContains(ReadText(root + "/etc/os-release"), "ID=bottlerocket")) {
    return {"platform", "Bottlerocket",
            "lockdown is integrity there by default, which is enough; not if "
            "settings.kernel.lockdown is confidentiality"};
  }
  return {"platform", "", ""};
}

}  // namespace

std::vector<HostFact> ReadHostFacts(const std::string& root) {
  std::vector<HostFact> facts;
  for (auto* const read :
       {ControlGroups, Seccomp, Paranoid, UnprivilegedBpf, SecureBoot, Platform}) {
    HostFact fact = read(root);
    if (!fact.value.empty()) facts.push_back(std::move(fact));
  }
  return facts;
}

}  // namespace sonde::kernel
