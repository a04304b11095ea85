// SPDX-License-Identifier: Apache-2.0
#include "agent/processes.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "agent/exit_code.h"
#include "agent/workloads.h"
#include "config/invocation.h"
#include "discovery/processes_report.h"
#include "discovery/selection.h"
#include "resource/resource_stage.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/process.h"
#include "tls/inspect.h"

namespace sonde::agent {
namespace {

// 0 = not a terminal: nothing is shortened.
size_t TerminalWidth() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace

int Processes(const config::Invocation& invocation) {
  MetricRegistry metrics;
  const auto workloads = Workloads::Open(invocation.config, metrics);
  if (!workloads.ok()) return Fail(workloads.status());
  const ProcessReader reader("/proc", workloads->get());
  for (const uint32_t pid : reader.Pids()) reader.Read(pid, kFieldWorkload);  // asks
  (*workloads)->Settle();
  const auto selection = discovery::Selection::Create(invocation.config.discovery);
  if (!selection.ok()) return Fail(selection.status());
  auto resources = resource::ResourceStage::Create(invocation.config.resource, reader, metrics);
  if (!resources.ok()) return Fail(resources.status());
  const auto candidates = discovery::ListCandidates(
      reader, *selection, [&](uint32_t pid) { return (*resources)->ForProcess(pid)->service_name; },
      [](uint32_t pid) {
        tls::Description found = tls::DescribeProcess("/proc", pid);
        return discovery::Libraries{std::move(found.tls), std::move(found.runtime)};
      });
  const std::string text = invocation.output == config::OutputFormat::kJson
                               ? discovery::ToJson(candidates)
                               : discovery::ToTable(candidates, TerminalWidth());
  std::fputs(text.c_str(), stdout);
  if (!text.empty() && text.back() != '\n') std::fputc('\n', stdout);
  return kExitDone;
}

}  // namespace sonde::agent
