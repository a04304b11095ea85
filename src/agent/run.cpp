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

namespace sonde::agent {
namespace {

int CannotStart(const Status& status) {
  Fail(status);
  return status.code() == absl::StatusCode::kNotFound ? kExitNoCommand : kExitCannotExecute;
}

}  // namespace

int Run(const config::Invocation& invocation) {
  auto signals = Signals::Block();
  if (!signals.ok()) return Fail(signals.status());
  // Before anything makes a thread.
  std::unique_ptr<Command> command;
  if (!invocation.child.empty()) {
    auto prepared = Command::Prepare(invocation.child, (*signals)->previous_mask());
    if (!prepared.ok()) return Fail(prepared.status());
    command = *std::move(prepared);
  }
  auto live = Live::Create(invocation.config, command.get());
  if (!live.ok()) return Fail(live.status());
  const Result<int> code = (*live)->Loop(**signals);
  if (code.ok()) return *code;
  if (command != nullptr && command->failed_to_start()) return CannotStart(code.status());
  return Fail(code.status());
}

}  // namespace sonde::agent
