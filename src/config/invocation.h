// SPDX-License-Identifier: Apache-2.0
// What the user asked for: the command line, environment and file of one start, understood and
// checked.
#pragma once

#include <string>
#include <vector>

#include "config/environment.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::config {

enum class Command {
  kRun,
  kDoctor,
  kProcesses,
  kReplay,
  kConfigCheck,
  kConfigPrint,
  kConfigSchema,
  kVersion,
  kHelp,
};

enum class OutputFormat { kText, kTable, kJson };

struct Invocation {
  Command command = Command::kHelp;
  Config config;                   // kRun, kReplay, kProcesses, kDoctor
  std::vector<std::string> child;  // kRun: COMMAND [ARGS...], empty without
  std::string replay_file;         // kReplay
  std::string config_file;  // that was read, from --config or SONDE_CONFIG; "-" is standard input
  OutputFormat output = OutputFormat::kText;  // kDoctor, kProcesses
  std::string text;                           // kHelp, kConfig*: what to print on standard output
  std::vector<std::string> warnings;          // for standard error, one line each
};

// An error is kInvalidArgument (exit 2), one finding per line. SIGHUP: call it again with the same
// arguments; the file is read anew, and on an error the configuration in force stays.
Result<Invocation> ParseCommandLine(int argc, const char* const* argv,
                                    const Environment& environment);

}  // namespace sonde::config
