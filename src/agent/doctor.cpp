// SPDX-License-Identifier: Apache-2.0
#include "agent/doctor.h"

#include <absl/strings/str_join.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/exit_code.h"
#include "agent/runtimes.h"
#include "agent/workloads.h"
#include "config/invocation.h"
#include "kernel/family_choice.h"
#include "kernel/host.h"
#include "kernel/host_facts.h"
#include "kernel/kernel.h"
#include "kubernetes/check.h"
#include "sonde/abi/runtime.h"
#include "sonde/base/metrics.h"
#include "sonde/base/processor.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"
#include "sonde/probe/tls.h"

namespace sonde::agent {
namespace {

// Of the TLS libraries sonde knows, those it decodes, or those it can only name.
std::vector<std::string> TlsNames(bool named_only) {
  std::vector<std::string> names;
  for (const probe::TlsLibrary* library : probe::TlsLibraries()) {
    if ((library->named_only || !IncludesHost(library->processors)) == named_only)
      names.emplace_back(library->name);
  }
  return names;
}

// Of the language runtimes sonde knows here, those that are a process's own.
std::vector<std::string> RuntimeNames() {
  std::vector<std::string> names;
  for (const probe::Runtime* runtime : probe::Runtimes()) {
    if (runtime->kind == SONDE_RUNTIME_NONE || !IncludesHost(runtime->processors)) continue;
    names.emplace_back(runtime->name);
  }
  return names;
}

void PrintRuntimes(const RuntimeReport& report) {
  std::printf("\ncontainers     %s\n", report.states.empty() ? "no runtime found" : "");
  for (const RuntimeState& state : report.states) {
    std::printf("  %-16s %-3s %s: %s\n", state.name.c_str(), state.usable ? "yes" : "no",
                state.address.c_str(), state.why.c_str());
  }
  if (!report.remedy.empty()) std::printf("               remedy: %s\n", report.remedy.c_str());
}

void PrintKubernetes(const kubernetes::Check& check) {
  if (!check.used) return;
  std::printf("\nkubernetes     %s%s\n", check.server.c_str(),
              check.node.empty() ? "" : (", node " + check.node).c_str());
  if (!check.problem.empty()) std::printf("               %s\n", check.problem.c_str());
  for (const kubernetes::Finding& finding : check.findings) {
    std::printf("  %-10s %s%s\n", finding.state.c_str(), finding.what.c_str(),
                finding.why.empty() ? "" : (": " + finding.why).c_str());
    if (!finding.remedy.empty()) std::printf("  %-10s remedy: %s\n", "", finding.remedy.c_str());
  }
}

nlohmann::ordered_json ToJson(const kubernetes::Check& check) {
  nlohmann::ordered_json out = {{"used", check.used},
                                {"problem", check.problem},
                                {"server", check.server},
                                {"node", check.node},
                                {"findings", nlohmann::ordered_json::array()}};
  for (const kubernetes::Finding& finding : check.findings) {
    out["findings"].push_back({{"what", finding.what},
                               {"state", finding.state},
                               {"why", finding.why},
                               {"remedy", finding.remedy}});
  }
  return out;
}

void PrintText(const kernel::Host& host, const Result<std::unique_ptr<kernel::Kernel>>& kernel,
               const RuntimeReport& runtimes, const kubernetes::Check& pods) {
  std::printf("kernel         %s\n", host.kernel_release.c_str());
  std::printf("BTF            %s\n", host.btf ? "yes" : "no");
  std::printf("lockdown       %s\n",
              host.lockdown.empty() ? "not supported" : host.lockdown.c_str());
  std::string capabilities;
  for (const std::string& name : host.capabilities) capabilities += name + " ";
  std::printf("capabilities   %s\n",
              capabilities.empty() ? "none of those needed" : capabilities.c_str());
  for (const kernel::HostFact& fact : kernel::ReadHostFacts()) {
    std::printf("%-14s %s%s\n", fact.name.c_str(), fact.value.c_str(),
                fact.means.empty() ? "" : (": " + fact.means).c_str());
  }
  for (const kernel::Missing& missing : host.missing) {
    std::printf("missing        %s\n               remedy: %s\n", missing.what.c_str(),
                missing.remedy.c_str());
  }
  if (kernel.ok()) {
    std::printf("\nprobe families\n");
    for (const kernel::FamilyState& family : (*kernel)->families()) {
      std::printf("  %-12s %-9s %s\n", std::string(family.name).c_str(),
                  std::string(family.state).c_str(), family.why.c_str());
      std::printf("  %-12s cost: %s\n", "", std::string(family.cost).c_str());
      if (family.state == "failed") {
        std::printf("  %-12s without it: %s\n", "", std::string(family.without).c_str());
      }
    }
  }
  std::printf("\nTLS libraries  decoded: %s\n               named only: %s\n",
              absl::StrJoin(TlsNames(false), ", ").c_str(),
              absl::StrJoin(TlsNames(true), ", ").c_str());
  std::printf("\nruntimes       known: %s\n", absl::StrJoin(RuntimeNames(), ", ").c_str());
  PrintRuntimes(runtimes);
  PrintKubernetes(pods);
  std::printf("\nverdict        %s\n",
              kernel.ok() ? "sonde can trace on this host" : "sonde cannot trace here");
}

void PrintJson(const kernel::Host& host, const Result<std::unique_ptr<kernel::Kernel>>& kernel,
               const RuntimeReport& runtimes, const kubernetes::Check& pods) {
  nlohmann::ordered_json out = {
      {"kernel", host.kernel_release},
      {"btf", host.btf},
      {"lockdown", host.lockdown},
      {"capabilities", host.capabilities},
      {"facts", nlohmann::ordered_json::array()},
      {"missing", nlohmann::ordered_json::array()},
      {"families", nlohmann::ordered_json::array()},
      {"tls_libraries", {{"decoded", TlsNames(false)}, {"named_only", TlsNames(true)}}},
      {"runtimes", RuntimeNames()},
      {"containers", {{"runtimes", nlohmann::ordered_json::array()}, {"remedy", runtimes.remedy}}},
      {"ok", kernel.ok()}};
  out["kubernetes"] = ToJson(pods);
  for (const RuntimeState& state : runtimes.states) {
    out["containers"]["runtimes"].push_back({{"name", state.name},
                                             {"address", state.address},
                                             {"usable", state.usable},
                                             {"why", state.why}});
  }
  for (const kernel::HostFact& fact : kernel::ReadHostFacts()) {
    out["facts"].push_back({{"name", fact.name}, {"value", fact.value}, {"means", fact.means}});
  }
  for (const kernel::Missing& missing : host.missing) {
    out["missing"].push_back({{"what", missing.what}, {"remedy", missing.remedy}});
  }
  if (kernel.ok()) {
    for (const kernel::FamilyState& family : (*kernel)->families()) {
      out["families"].push_back({{"name", family.name},
                                 {"state", family.state},
                                 {"why", family.why},
                                 {"cost", family.cost},
                                 {"without", family.without},
                                 {"verifier_instructions", family.costs}});
    }
  } else {
    out["reason"] = std::string(kernel.status().message());
  }
  std::printf("%s\n", out.dump(2).c_str());
}

}  // namespace

// Attaches what `run` would attach, with nothing traced, and lets go again: the verdict is what
// happened.
int Doctor(const config::Invocation& invocation) {
  const kernel::Host host = kernel::ReadHost();
  MetricRegistry metrics;
  const RuntimeReport runtimes = DescribeRuntimes(invocation.config.resource);
  const kubernetes::Check pods = kubernetes::CheckApi(invocation.config.kubernetes, Variable);
  const auto kernel = kernel::Kernel::Create(invocation.config.capture, {}, metrics);
  if (invocation.output == config::OutputFormat::kJson) {
    PrintJson(host, kernel, runtimes, pods);
  } else {
    PrintText(host, kernel, runtimes, pods);
  }
  return kernel.ok() ? kExitDone : Fail(kernel.status());
}

}  // namespace sonde::agent
