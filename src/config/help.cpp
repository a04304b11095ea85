// SPDX-License-Identifier: Apache-2.0
// Help texts from the command and flag tables.
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "config/commands.h"
#include "config/invocation.h"

namespace sonde::config {
namespace {

constexpr size_t kWidth = 96;
constexpr size_t kColumn = 30;  // where descriptions start

// `text` wrapped at kWidth, every line after the first indented to the description column.
std::string Wrap(std::string_view text) {
  std::string out;
  size_t column = kColumn;
  while (!text.empty()) {
    const size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    if (column > kColumn && column + 1 + word.size() > kWidth) {
      out += "\n" + std::string(kColumn, ' ');
      column = kColumn;
    } else if (column > kColumn) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return out;
}

std::string Row(const std::string& left, const std::string& right) {
  std::string row = "  " + left;
  if (row.size() + 2 > kColumn) {
    row += "\n" + std::string(kColumn, ' ');
  } else {
    row.append(kColumn - row.size(), ' ');
  }
  return row + Wrap(right) + "\n";
}

std::string DocOf(const FlagSpec& flag) {
  std::string doc = flag.doc;
  if (flag.repeats && flag.name != "--exclude") doc += " Repeatable.";
  for (size_t i = 0; i < flag.env.size(); ++i) doc += (i == 0 ? " [" : ", ") + flag.env[i];
  if (!flag.env.empty()) doc += "]";
  return doc;
}

std::string Indented(std::string_view text, std::string_view before) {
  std::string out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    out += std::string(before) + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string FlagGroups(Command command) {
  constexpr std::array<std::string_view, 4> kGroups{"Selectors", "Output", "Running",
                                                    "Configuration and logs"};
  std::string out;
  for (const std::string_view group : kGroups) {
    std::string rows;
    for (const FlagSpec& flag : Flags()) {
      if (flag.group != group || !Takes(command, flag)) continue;
      rows += Row(flag.name + (flag.value.empty() ? "" : " " + flag.value), DocOf(flag));
    }
    if (!rows.empty()) out += "\n" + std::string(group) + ":\n" + rows;
  }
  return out;
}

}  // namespace

std::string GeneralHelp() {
  std::string out =
      "sonde traces the requests of services on this host, without changing or restarting them.\n"
      "\nUsage: sonde COMMAND [OPTIONS]\n\nCommands:\n";
  for (const CommandSpec& command : Commands()) {
    out += Row(std::string(command.name), std::string(command.summary));
  }
  return out +
         "\nExamples:\n"
         "  sonde run -- ./server        start a server and watch its requests\n"
         "  sonde run --port 8080        watch whoever listens on port 8080\n"
         "  sonde help run               every option\n"
         "\nExit codes: 0 stopped as asked; 1 failed while running; 2 wrong usage or "
         "configuration;\n"
         "3 the host does not allow it; with COMMAND, that command's own.\n";
}

std::string CommandHelp(const CommandSpec& command) {
  if (command.command == Command::kHelp) return GeneralHelp();
  std::string out =
      "sonde " + std::string(command.name) + ": " + std::string(command.summary) + "\n";
  out += "\nUsage:\n" + Indented(command.usage, "  sonde ");
  if (!command.text.empty()) out += "\n" + Indented(command.text, "");
  out += FlagGroups(command.command);
  if (!command.examples.empty()) out += "\nExamples:\n" + Indented(command.examples, "  ");
  return out;
}

}  // namespace sonde::config
