// SPDX-License-Identifier: Apache-2.0
#include "config/commands.h"

#include <string>
#include <string_view>
#include <vector>

#include "config/draft.h"
#include "config/invocation.h"
#include "config/key.h"
#include "config/key_table.h"
#include "config/yaml_node.h"

namespace sonde::config {
namespace {

constexpr std::string_view kSelecting = "Selectors";
constexpr std::string_view kExporting = "Output";
constexpr std::string_view kRunning = "Running";
constexpr std::string_view kSettings = "Configuration and logs";

std::string GroupOf(const Key& key) {
  if (key.path.starts_with("sonde.discovery.")) return std::string(kSelecting);
  for (const std::string_view flag :
       {"--record", "--duration", "--shutdown-timeout", "--probes", "--no-probes", "--listen"}) {
    if (key.flag == flag) return std::string(kRunning);
  }
  if (key.flag.starts_with("--log-")) return std::string(kSettings);
  return std::string(kExporting);
}

// " Default: x." where there is one that stands on a line.
std::string DefaultOf(const Key& key) {
  Draft draft;
  const YamlNode value = key.type->Write(draft, {}, "");
  return value.is_scalar() && value.text != "false" ? " Default: " + value.text + "." : "";
}

void AddFromTable(const KeyTable& table, std::vector<FlagSpec>& flags) {
  for (const Key& key : table) {
    if (key.flag.empty()) continue;
    flags.push_back({key.flag, key.value, key.doc + DefaultOf(key), GroupOf(key), key.env,
                     key.type->repeats()});
  }
}

std::vector<FlagSpec> MakeFlags() {
  std::vector<FlagSpec> flags{
      {"--export",
       "WHAT",
       "console, otlp, file=PATH, zipkin=URL, kafka=HOST:PORT/TOPIC or none. Default: otlp if an "
       "endpoint is given, else console.",
       std::string(kExporting),
       {"SONDE_EXPORT", "OTEL_TRACES_EXPORTER"},
       true}};
  AddFromTable(OtlpOverlayKeys(Signal::kTraces), flags);
  AddFromTable(MainKeys(), flags);
  flags.push_back({"--exclude",
                   "KIND=VALUE",
                   "Never trace these; KIND is a selector's name, as in exe=*/bash.",
                   std::string(kSelecting),
                   {},
                   true});
  flags.push_back({"--config",
                   "FILE",
                   "YAML file; - is standard input.",
                   std::string(kSettings),
                   {"SONDE_CONFIG"},
                   false});
  flags.push_back({"--output",
                   "FORMAT",
                   "json, or text for people (a table where there are rows). Default: the latter.",
                   std::string(kSettings),
                   {},
                   false});
  flags.push_back({"--help", "", "This text.", std::string(kSettings), {}, false});
  return flags;
}

}  // namespace

const std::vector<CommandSpec>& Commands() {
  static const std::vector<CommandSpec> commands{
      {Command::kRun, "run", "run [SELECTORS] [OPTIONS]\nrun [OPTIONS] -- COMMAND [ARGS...]",
       "trace what the selectors match, or COMMAND and its descendants",
       "With selectors: traces the matching processes, now and later ones, until SIGINT or\n"
       "SIGTERM. With COMMAND: starts it when the probes are attached, traces it and all its\n"
       "descendants, passes signals on, and exits with its code.\n"
       "Selectors repeat. Those of one kind are alternatives; of different kinds all must match.\n"
       "With COMMAND only --port (connections to keep) and --exclude may be given.",
       "sonde run -- ./server                  # traces in the terminal\n"
       "sonde run --port 8080                  # whoever listens there\n"
       "sonde run --exe '*/nginx' --exe '*/gunicorn*' --export otlp\n"
       "sonde run --all --exclude exe='*/sshd' --otlp-endpoint http://localhost:4317"},
      {Command::kDoctor, "doctor", "doctor [--output text|json]",
       "say what this host allows, and what would fix the rest",
       "Reports kernel, BTF, capabilities and lockdown, and for each probe family whether it\n"
       "works, falls back or is off, why, and what would fix it. Changes nothing.",
       "sonde doctor\nsonde doctor --output json"},
      {Command::kProcesses, "processes", "processes [SELECTORS] [--output table|json]",
       "list the processes that could be traced, and which are selected",
       "Lists pid, executable, language, service.name, listening ports, TLS library and runtime of "
       "each\n"
       "candidate, and by which rule it is selected or not.\n"
       "Selectors repeat. Those of one kind are alternatives; of different kinds all must match.",
       "sonde processes\nsonde processes --port 80 --output json"},
      {Command::kReplay, "replay", "replay FILE [OPTIONS]",
       "run a recording or a packet capture through the same pipeline",
       "FILE is what --record wrote, a pcap or a pcapng. Needs no privileges. --port keeps the\n"
       "connections on that port.",
       "sonde replay capture.pcap\nsonde replay run.sonde --export file=-"},
      {Command::kConfigCheck, "config check", "config check [--config FILE] [OPTIONS]",
       "validate flags, environment and file",
       "Prints every mistake with file, line, key and what was expected; then the exit code is 2.",
       "sonde config check --config sonde.yaml"},
      {Command::kConfigPrint, "config print", "config print [--config FILE] [OPTIONS]",
       "show the effective configuration and the origin of each value",
       "YAML that --config accepts. Header values are masked.",
       "sonde config print --config sonde.yaml --port 8080"},
      {Command::kConfigSchema, "config schema", "config schema",
       "print the JSON Schema of the configuration file",
       "For editors and for checks before deployment.", "sonde config schema > sonde.schema.json"},
      {Command::kVersion, "version", "version", "print the version", "", ""},
      {Command::kHelp, "help", "help [COMMAND]", "explain a command", "", "sonde help run"},
  };
  return commands;
}

const CommandSpec* FindCommand(std::string_view name) {
  for (const CommandSpec& command : Commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

const std::vector<FlagSpec>& Flags() {
  static const std::vector<FlagSpec> flags = MakeFlags();
  return flags;
}

bool Takes(Command command, const FlagSpec& flag) {
  if (flag.name == "--help") return true;
  const bool output = flag.name == "--output";
  const bool settings = flag.group == kSettings && !output;
  const bool probes = flag.name == "--probes" || flag.name == "--no-probes";
  switch (command) {
    case Command::kRun:
    case Command::kConfigCheck:
    case Command::kConfigPrint:
      return !output;
    case Command::kReplay:
      // Nothing is attached and the file has its own end.
      return settings || flag.group == kExporting || flag.name == "--port" ||
             flag.name == "--listen" || flag.name == "--shutdown-timeout";
    case Command::kProcesses:
      return settings || output || flag.group == kSelecting;
    case Command::kDoctor:
      return settings || output || probes;
    case Command::kConfigSchema:
    case Command::kVersion:
    case Command::kHelp:
      break;
  }
  return false;
}

}  // namespace sonde::config
