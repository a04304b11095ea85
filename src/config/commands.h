// SPDX-License-Identifier: Apache-2.0
// The commands, which flags each takes, and their help. Parser, help and reference page come from
// here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/invocation.h"

namespace sonde::config {

struct CommandSpec {
  Command command;
  std::string_view name;      // "config print"
  std::string_view usage;     // lines after "sonde "
  std::string_view summary;   // one line
  std::string_view text;      // what it does, for its own help
  std::string_view examples;  // "command  # what for" lines
};

struct FlagSpec {
  std::string name;   // "--listen"
  std::string value;  // placeholder; empty: takes none
  std::string doc;
  std::string group;
  std::vector<std::string> env;
  bool repeats = false;
};

const std::vector<CommandSpec>& Commands();
const CommandSpec* FindCommand(std::string_view name);

// Every flag of every command.
const std::vector<FlagSpec>& Flags();
bool Takes(Command command, const FlagSpec& flag);

// Help of sonde as a whole, and of one command; plain text, at most 100 columns.
std::string GeneralHelp();
std::string CommandHelp(const CommandSpec& command);

}  // namespace sonde::config
