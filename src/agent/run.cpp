// SPDX-License-Identifier: Apache-2.0
#include "agent/run.h"

#include <absl/status/status.h>

#include <memory>
#include <utility>

#include "agent/command.h"
#include "agent/exit_code.h"
#include "agent/live.h"
#include "agent/signals.h"
#include "config/invocation.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::agent {
namespace {

int CannotStart(const Status& status) {
  Fail(status);
  return status.code() == absl::StatusCode::kNotFound ? kExitNoCommand : kExitCannotExecute;
}

}  // namespace

int Run(const config::Invocation& invocation, const ParseAgain& again) {
  auto signals = Signals::Block();
  if (!signals.ok()) return Fail(signals.status());
  // Before anything makes a thread.
  std::unique_ptr<Command> command;
  if (!invocation.child.empty()) {
    auto prepared = Command::Prepare(invocation.child, (*signals)->previous_mask());
    if (!prepared.ok()) return Fail(prepared.status());
    command = *std::move(prepared);
  }
  Reload reload;
  if (!invocation.config_file.empty() && invocation.config_file != "-") {
    reload = [&again]() -> Result<Config> {
      auto parsed = again();
      if (!parsed.ok()) return parsed.status();
      return std::move(parsed->config);
    };
  }
  auto live = Live::Create(invocation.config, command.get(), std::move(reload));
  if (!live.ok()) return Fail(live.status());
  const Result<int> code = (*live)->Loop(**signals);
  if (code.ok()) return *code;
  if (command != nullptr && command->failed_to_start()) return CannotStart(code.status());
  return Fail(code.status());
}

}  // namespace sonde::agent
