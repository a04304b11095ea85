// SPDX-License-Identifier: Apache-2.0
// sonde: command line to command. Exceptions of third-party code end here.
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>

#include "agent/doctor.h"
#include "agent/exit_code.h"
#include "agent/logging.h"
#include "agent/processes.h"
#include "agent/replay.h"
#include "agent/run.h"
#include "agent/version.h"
#include "config/environment.h"
#include "config/invocation.h"

namespace {

int Dispatch(const sonde::config::Invocation& invocation, const sonde::agent::ParseAgain& again) {
  using sonde::config::Command;
  switch (invocation.command) {
    case Command::kRun:
      return sonde::agent::Run(invocation, again);
    case Command::kReplay:
      return sonde::agent::Replay(invocation);
    case Command::kDoctor:
      return sonde::agent::Doctor(invocation);
    case Command::kProcesses:
      return sonde::agent::Processes(invocation);
    case Command::kVersion:
      std::printf("sonde %s\n", sonde::agent::Version());
      return 0;
    case Command::kConfigCheck:
    case Command::kConfigPrint:
    case Command::kConfigSchema:
    case Command::kHelp:
      std::fputs(invocation.text.c_str(), stdout);
      return 0;
  }
  return sonde::agent::kExitUsage;
}

int Main(int argc, char** argv) {
  const auto environment = sonde::config::ReadEnvironment(environ);
  const auto parse = [&] { return sonde::config::ParseCommandLine(argc, argv, environment); };
  const auto invocation = parse();
  if (!invocation.ok()) return sonde::agent::Fail(invocation.status());
  sonde::agent::ConfigureLogging(invocation->config.log);
  for (const std::string& warning : invocation->warnings) {
    std::fprintf(stderr, "sonde: warning: %s\n", warning.c_str());
  }
  return Dispatch(*invocation, parse);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sonde: %s\n", error.what());
    return sonde::agent::kExitFailed;
  }
}
