// SPDX-License-Identifier: Apache-2.0
// From argv to an Invocation.
#include <absl/status/status.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/commands.h"
#include "config/draft.h"
#include "config/environment.h"
#include "config/invocation.h"
#include "config/load.h"
#include "config/suggest.h"
#include "sonde/base/result.h"

namespace sonde::config {
namespace {

using Words = std::vector<std::string>;

Status Usage(const std::string& message) { return absl::InvalidArgumentError(message); }

// The command line in parts, before anything is looked up.
struct Parsed {
  FlagValues flags;
  Words positionals;
};

std::string FlagName(const std::string& word) { return word.substr(0, word.find('=')); }

Status UnknownFlag(const CommandSpec& command, const std::string& word) {
  const std::string flag = FlagName(word);
  Words names;
  for (const FlagSpec& known : Flags()) {
    if (known.name == flag) {
      return Usage("sonde " + std::string(command.name) + " does not take " + flag);
    }
    if (Takes(command.command, known)) names.push_back(known.name);
  }
  const std::string nearest = Nearest(flag, names);
  return Usage("unknown option " + flag +
               (nearest.empty() ? "; see sonde help " + std::string(command.name)
                                : "; did you mean " + nearest + "?"));
}

// CLI11 splits the words into flags and values; what the flags mean is in the key tables.
Result<Parsed> Split(const CommandSpec& command, const Words& words) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::map<std::string, Words> values;
  std::map<std::string, bool> switches;
  for (const FlagSpec& flag : Flags()) {
    if (!Takes(command.command, flag)) continue;
    if (flag.value.empty()) {
      app.add_flag(flag.name == "--help" ? "-h,--help" : flag.name, switches[flag.name]);
    } else {
      app.add_option(flag.name, values[flag.name])->allow_extra_args(false);
    }
  }
  try {
    app.parse(Words(words.rbegin(), words.rend()));  // CLI11 takes them last first
  } catch (const CLI::ParseError& error) {
    return Usage(error.what());
  }
  Parsed parsed;
  for (const std::string& word : app.remaining()) {
    if (word.size() > 1 && word[0] == '-') return UnknownFlag(command, word);
    parsed.positionals.push_back(word);
  }
  for (auto& [name, given] : values) {
    if (!given.empty()) parsed.flags[name] = std::move(given);
  }
  for (const auto& [name, given] : switches) {
    if (given) parsed.flags[name] = {"true"};
  }
  return parsed;
}

// Takes a flag that is not a configuration key out of the values; it may be given once.
Result<std::string> TakeSingle(FlagValues& flags, const std::string& name,
                               const std::string& otherwise) {
  auto node = flags.extract(name);
  if (node.empty()) return otherwise;
  if (node.mapped().size() > 1) return Usage(name + ": given more than once");
  return node.mapped().front();
}

Status SetOutput(FlagValues& flags, Invocation& invocation) {
  const bool table = invocation.command == Command::kProcesses;
  const std::string plain = table ? "table" : "text";
  auto output = TakeSingle(flags, "--output", plain);
  if (!output.ok()) return output.status();
  if (*output != plain && *output != "json") {
    return Usage("--output: expected " + plain + " or json, got \"" + *output + "\"");
  }
  invocation.output = *output == "json" ? OutputFormat::kJson
                      : table           ? OutputFormat::kTable
                                        : OutputFormat::kText;
  return absl::OkStatus();
}

Status SetPositionals(const CommandSpec& command, const Words& positionals,
                      Invocation& invocation) {
  if (command.command == Command::kReplay) {
    if (positionals.size() != 1) {
      return Usage(positionals.empty()
                       ? "replay needs a FILE: a recording, a pcap or a pcapng"
                       : "replay takes one FILE, got also \"" + positionals[1] + "\"");
    }
    invocation.replay_file = positionals[0];
    return absl::OkStatus();
  }
  if (positionals.empty()) return absl::OkStatus();
  const std::string& word = positionals[0];
  if (command.command == Command::kRun) {
    return Usage("unexpected \"" + word + "\"; to start a command: sonde run [OPTIONS] -- " + word +
                 " ...");
  }
  if (command.command == Command::kConfigCheck || command.command == Command::kConfigPrint) {
    return Usage("unexpected \"" + word + "\"; a file is given as --config " + word);
  }
  return Usage("unexpected \"" + word + "\"; see sonde help " + std::string(command.name));
}

Result<Invocation> Explain(const Words& words) {
  Invocation invocation;
  invocation.command = Command::kHelp;
  if (words.empty()) {
    invocation.text = GeneralHelp();
    return invocation;
  }
  std::string name = words[0];
  for (size_t i = 1; i < words.size(); ++i) name += " " + words[i];
  if (name == "config") {
    for (const CommandSpec& command : Commands()) {
      if (command.name.starts_with("config ")) invocation.text += CommandHelp(command) + "\n";
    }
    return invocation;
  }
  const CommandSpec* command = FindCommand(name);
  if (command == nullptr) return Usage("unknown command \"" + name + "\"; see sonde help");
  invocation.text = CommandHelp(*command);
  return invocation;
}

// The command that the first words name, which are removed.
Result<const CommandSpec*> TakeCommand(Words& words) {
  std::string name = words.front();
  words.erase(words.begin());
  if (name == "--version" || name == "-V") name = "version";
  if (name == "config") {
    if (words.empty()) return Usage("config needs one of check, print, schema");
    name += " " + words.front();
    words.erase(words.begin());
  }
  const CommandSpec* command = FindCommand(name);
  if (command != nullptr) return command;
  Words names;
  for (const CommandSpec& known : Commands()) names.emplace_back(known.name);
  const std::string nearest = Nearest(name, names);
  return Usage("unknown command \"" + name + "\"" +
               (nearest.empty() ? "; see sonde help" : "; did you mean " + nearest + "?"));
}

Result<Invocation> Understand(const CommandSpec& command, const Words& words, Words child,
                              const Environment& environment) {
  auto parsed = Split(command, words);
  if (!parsed.ok()) return parsed.status();
  if (parsed->flags.contains("--help")) return Explain({std::string(command.name)});
  Invocation invocation;
  invocation.command = command.command;
  invocation.child = std::move(child);
  const Status positionals = SetPositionals(command, parsed->positionals, invocation);
  if (!positionals.ok()) return positionals;
  const Status output = SetOutput(parsed->flags, invocation);
  if (!output.ok()) return output;
  auto file = TakeSingle(parsed->flags, "--config", "");
  if (!file.ok()) return file.status();
  const Status loaded = Load({*file, parsed->flags, environment}, invocation);
  if (!loaded.ok()) return loaded;
  return invocation;
}

}  // namespace

Result<Invocation> ParseCommandLine(int argc, const char* const* argv,
                                    const Environment& environment) {
  Words words(argv + std::min(argc, 1), argv + argc);
  const auto dashes = std::ranges::find(words, "--");
  const bool has_child = dashes != words.end();
  Words child(has_child ? dashes + 1 : words.end(), words.end());
  words.erase(dashes, words.end());
  if (words.empty()) return Usage("a command is missing\n\n" + GeneralHelp());
  if (words[0] == "help" || words[0] == "--help" || words[0] == "-h") {
    return Explain(Words(words.begin() + 1, words.end()));
  }
  const bool wants_help = words.size() == 2 && (words[1] == "--help" || words[1] == "-h");
  if (words[0] == "config" && wants_help) return Explain({"config"});
  auto command = TakeCommand(words);
  if (!command.ok()) return command.status();
  if (has_child && (*command)->command != Command::kRun) {
    return Usage("only sonde run takes a command after --");
  }
  if (has_child && child.empty()) return Usage("a command is missing after --");
  return Understand(**command, words, std::move(child), environment);
}

}  // namespace sonde::config
