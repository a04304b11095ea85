// SPDX-License-Identifier: Apache-2.0
// The exit codes of the command line contract, and how an error maps to one.
#pragma once

#include "sonde/base/result.h"

namespace sonde::agent {

enum ExitCode : int {
  kExitDone = 0,
  kExitFailed = 1,           // failed while running
  kExitUsage = 2,            // wrong usage or configuration
  kExitNotAllowed = 3,       // the host does not allow it
  kExitCannotExecute = 126,  // COMMAND, as shells say it
  kExitNoCommand = 127,
};

// Prints the message, one line each with the prefix "sonde: ", on standard error and gives the code
// that fits.
int Fail(const Status& status);

}  // namespace sonde::agent
