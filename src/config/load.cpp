// SPDX-License-Identifier: Apache-2.0
#include "config/load.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/draft.h"
#include "config/environment.h"
#include "config/exporters.h"
#include "config/invocation.h"
#include "config/key.h"
#include "config/key_table.h"
#include "config/metric_readers.h"
#include "config/origin.h"
#include "config/section.h"
#include "config/selectors.h"
#include "config/text.h"
#include "config/yaml_node.h"
#include "config/yaml_reader.h"
#include "config/yaml_writer.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

constexpr std::string_view kInclude = "sonde.discovery.include.";
constexpr std::string_view kExclude = "sonde.discovery.exclude.";

std::string Get(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string{} : found->second;
}

const Key* FindKey(const std::string& path) {
  for (const Key& key : MainKeys()) {
    if (key.path == path) return &key;
  }
  return nullptr;
}

bool HasSelectorFlag(const FlagValues& flags) {
  return std::any_of(MainKeys().begin(), MainKeys().end(), [&](const Key& key) {
    return key.path.starts_with(kInclude) && flags.contains(key.flag);
  });
}

// Selectors belong together: one on the command line replaces all of the file, because of different
// kinds all must match and a mixture would match what nobody asked for.
void ForgetIncludes(Draft& draft) {
  draft.config.discovery.include.clear();
  draft.include_rules.clear();
  std::erase_if(draft.origins, [](const auto& entry) { return entry.first.starts_with(kInclude); });
}

std::string ExcludeKinds() {
  std::string kinds;
  for (const SelectorName& selector : SelectorNames()) {
    if (selector.kind == SelectorKind::kAll) continue;
    kinds.append(kinds.empty() ? "" : ", ").append(selector.name);
  }
  return kinds;
}

void ApplyExcludes(const FlagValues& flags, const Target& target) {
  const auto given = flags.find("--exclude");
  if (given == flags.end()) return;
  const Origin origin{Layer::kFlag, "--exclude", 0};
  for (const std::string& text : given->second) {
    const size_t equals = text.find('=');
    const std::string kind = text.substr(0, equals);
    const Key* key = FindKey(std::string(kExclude) + kind);
    if (key == nullptr) {
      target.findings.Add(
          origin, "",
          "expected KIND=VALUE with KIND one of " + ExcludeKinds() + ", got \"" + text + "\"");
    } else if (equals == std::string::npos) {
      target.findings.Add(origin, "", "expected KIND=VALUE, got \"" + text + "\"");
    } else {
      ApplyText(*key, {text.substr(equals + 1)}, origin, target);
    }
  }
}

void ApplyExporters(const Sources& sources, Draft& draft, Findings& findings) {
  for (const char* name : {"OTEL_TRACES_EXPORTER", "SONDE_EXPORT"}) {  // the later one wins
    const std::string value = Get(sources.environment, name);
    if (value.empty()) continue;
    ChooseExporters(SplitTrimmed(value, ','), {Layer::kEnvironment, name, 0}, draft, findings);
  }
  constexpr const char* kMetrics = "OTEL_METRICS_EXPORTER";
  if (const std::string value = Get(sources.environment, kMetrics); !value.empty()) {
    ChooseMetricReaders(SplitTrimmed(value, ','), {Layer::kEnvironment, kMetrics, 0}, draft,
                        findings);
  }
  const auto given = sources.flags.find("--export");
  if (given == sources.flags.end()) return;
  ChooseExporters(given->second, {Layer::kFlag, "--export", 0}, draft, findings);
}

// What only the command decides.
void ApplyCommand(const Sources& sources, const Invocation& invocation, Draft& draft,
                  Findings& findings) {
  const bool listen_chosen = draft.origins.contains("sonde.admin.listen");
  if (invocation.command == Command::kReplay && !listen_chosen) draft.config.admin.listen = "off";
  if (invocation.child.empty()) return;
  for (const Key& key : MainKeys()) {
    if (!key.path.starts_with(kInclude) || key.flag == "--port") continue;
    if (!sources.flags.contains(key.flag)) continue;
    findings.AddError(key.flag +
                      ": COMMAND and its descendants are what is traced; beside it only "
                      "--port and --exclude may be given");
  }
}

void CheckSelected(const Invocation& invocation, const Draft& draft, Findings& findings) {
  const bool nothing = invocation.child.empty() && draft.config.discovery.include.empty() &&
                       draft.include_rules.empty() && draft.config.discovery.opt_annotation.empty();
  if (invocation.command != Command::kRun || !nothing) return;
  findings.AddError(
      "nothing is selected. Give one of:\n"
      "  sonde run -- COMMAND     start COMMAND and trace it\n"
      "  sonde run --port 8080    trace who listens on a port; also --pid, --exe, --cmdline,\n"
      "                           --cgroup, --systemd-unit, --env, --container,\n"
      "                           --container-image, --container-label, --k8s-namespace,\n"
      "                           --k8s-pod, --k8s-pod-label, --k8s-workload\n"
      "  sonde run --all          trace every process of the host\n"
      "sonde processes lists the candidates.");
}

std::string Checked(const std::string& file) {
  return file.empty() ? "environment and flags: ok (no file)\n" : file + ": ok\n";
}

}  // namespace

void ApplyFile(const YamlNode& root, const std::string& file, Draft& draft, Findings& findings) {
  if (root.is_null()) return;  // an empty file
  if (!root.is_map()) {
    findings.AddError(file + ":" + std::to_string(root.line) + ": expected a map, got " +
                      root.Describe());
    return;
  }
  ReadSection(MainKeys(), root, file, "", {draft, findings, draft.origins});
}

Status Load(const Sources& sources, Invocation& invocation) {
  if (invocation.command == Command::kVersion) return absl::OkStatus();
  if (invocation.command == Command::kConfigSchema) {
    invocation.text = SchemaText();
    return absl::OkStatus();
  }
  Draft draft;
  draft.file_format = "1.0";
  Findings findings;
  const std::string file =
      sources.file.empty() ? Get(sources.environment, "SONDE_CONFIG") : sources.file;
  invocation.config_file = file;
  if (!file.empty()) {
    auto root = ReadYamlFile(file, sources.environment);
    if (!root.ok()) return root.status();
    ApplyFile(*root, file, draft, findings);
  }
  const Target target{draft, findings, draft.origins};
  ApplyEnvironment(MainKeys(), sources.environment, target);
  ApplyEnvironment(BatchKeys(), sources.environment, target);
  if (HasSelectorFlag(sources.flags) || !invocation.child.empty()) ForgetIncludes(draft);
  ApplyFlags(MainKeys(), sources.flags, target);
  ApplyExcludes(sources.flags, target);
  ApplyExporters(sources, draft, findings);
  ApplyCommand(sources, invocation, draft, findings);
  CheckSelected(invocation, draft, findings);
  invocation.config = Finish(sources.flags, sources.environment, draft, findings);
  // Which processes: COMMAND's. Which connections: capture.ports.
  if (!invocation.child.empty()) invocation.config.discovery.include.clear();
  invocation.warnings = findings.warnings();
  if (!findings.ok()) return findings.ToStatus();
  if (invocation.command == Command::kConfigCheck) invocation.text = Checked(file);
  if (invocation.command == Command::kConfigPrint) invocation.text = PrintDraft(draft);
  return absl::OkStatus();
}

std::string PrintDraft(Draft& draft) {
  return WriteYaml(WriteSection(MainKeys(), draft, draft.origins));
}

std::string SchemaText() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "sonde configuration"}};
  schema.update(SchemaOf(MainKeys()));
  return schema.dump(2) + "\n";
}

}  // namespace sonde::config
