// SPDX-License-Identifier: Apache-2.0
#include "config/reference.h"

#include <string>
#include <string_view>

#include "config/commands.h"
#include "config/draft.h"
#include "config/invocation.h"
#include "config/kafka_keys.h"
#include "config/key.h"
#include "config/key_table.h"
#include "config/rule_keys.h"
#include "config/yaml_node.h"

namespace sonde::config {
namespace {

// A cell of a Markdown table.
std::string Cell(std::string_view text, bool code) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return code && !out.empty() ? "`" + out + "`" : out;
}

std::string DefaultOf(const Key& key) {
  Draft draft;
  draft.file_format = "1.0";
  const YamlNode value = key.type->Write(draft, {}, "");
  return value.is_scalar() ? value.text : "";
}

std::string Variables(const Key& key) {
  std::string out;
  for (const std::string& name : key.env) out += (out.empty() ? "" : ", ") + Cell(name, true);
  return out;
}

// `defaults`: exporters have theirs in the text of their section, because they depend on each
// other.
std::string Table(const KeyTable& table, bool defaults) {
  std::string out = defaults
                        ? "| Key | Type | Default | Flag | Environment | Meaning |\n"
                          "|---|---|---|---|---|---|\n"
                        : "| Key | Type | Flag | Environment | Meaning |\n|---|---|---|---|---|\n";
  for (const Key& key : table) {
    out += "| " + Cell(key.path, true) + " | " + Cell(key.type->Describe(), false) + " | ";
    if (defaults) out += Cell(DefaultOf(key), true) + " | ";
    out += Cell(key.flag, true) + " | " + Variables(key) + " | " + Cell(key.doc, false) + " |\n";
  }
  return out;
}

}  // namespace

std::string CommandLineReference() {
  std::string out = "```text\n" + GeneralHelp() + "```\n";
  for (const CommandSpec& command : Commands()) {
    if (command.command == Command::kHelp || command.command == Command::kVersion) continue;
    out += "\n## sonde " + std::string(command.name) + "\n\n```text\n" + CommandHelp(command) +
           "```\n";
  }
  return out;
}

std::string ConfigurationReference() {
  std::string out = "### Top level and `sonde:`\n\n" + Table(MainKeys(), true);
  out += "\n### Below `sonde.discovery.include[]`; selectors only below `exclude[]`\n\n" +
         Table(RuleKeys(), false);
  out += "\n### Below `tracer_provider.processors[].batch`\n\n" + Table(BatchKeys(), true);
  out += "\n### Below `exporter.otlp_http`\n\n" + Table(OtlpHttpKeys(Signal::kTraces), false);
  out += "\n### Below `exporter.otlp_grpc`\n\n" + Table(OtlpGrpcKeys(Signal::kTraces), false);
  out += "\n### Below `exporter.otlp_file/development`\n\n" + Table(FileExporterKeys(), false);
  out += "\n### Below `meter_provider.readers[].periodic`\n\n" + Table(PeriodicKeys(), false);
  out += "\n### Below `periodic.exporter.otlp_http`\n\n" +
         Table(OtlpHttpKeys(Signal::kMetrics), false);
  out += "\n### Below `periodic.exporter.otlp_grpc`\n\n" +
         Table(OtlpGrpcKeys(Signal::kMetrics), false);
  out +=
      "\n### Below `periodic.exporter.otlp_file/development`\n\n" + Table(MetricFileKeys(), false);
  out += "\n### Below `periodic.exporter.console`\n\n" + Table(MetricConsoleKeys(), false);
  out += "\n### Below `exporter.zipkin`\n\n" + Table(ZipkinKeys(), false);
  out += "\n### Below `exporter.kafka`\n\n" + Table(KafkaKeys(), false);
  return out;
}

}  // namespace sonde::config
