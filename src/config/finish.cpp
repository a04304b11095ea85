// SPDX-License-Identifier: Apache-2.0
// The last steps from draft to Config: what needs more than one key.
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/environment.h"
#include "config/key_table.h"
#include "config/metric_readers.h"
#include "config/origin.h"
#include "config/overlay.h"
#include "config/section.h"
#include "config/selectors.h"
#include "config/suggest.h"
#include "sonde/base/component_names.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

bool IsOtlp(const ExporterDraft& exporter) { return exporter.options.kind == ExporterKind::kOtlp; }

bool EndpointConfigured(const FlagValues& flags, const Environment& environment) {
  if (flags.contains("--otlp-endpoint")) return true;
  for (const char* name : {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}) {
    const auto found = environment.find(name);
    if (found != environment.end() && !found->second.empty()) return true;
  }
  return false;
}

void ChooseDefault(const FlagValues& flags, const Environment& environment, Draft& draft) {
  if (draft.exporters_chosen) return;
  ExporterDraft exporter;
  exporter.options.kind =
      EndpointConfigured(flags, environment) ? ExporterKind::kOtlp : ExporterKind::kConsole;
  draft.exporters = {exporter};
}

// A flag for OTLP that reaches no exporter would be lost in silence.
void RefuseIdleFlags(const FlagValues& flags, const Draft& draft, Findings& findings) {
  const auto count = std::count_if(draft.exporters.begin(), draft.exporters.end(), IsOtlp);
  const bool metrics =
      std::ranges::any_of(draft.metric_readers,
                          [](const MetricReaderDraft& reader) { return IsOtlp(reader.exporter); });
  for (const auto& [flag, values] : flags) {
    if (!flag.starts_with("--otlp-")) continue;
    const Origin origin{Layer::kFlag, flag, 0};
    if (count == 0 && !metrics) {
      findings.Add(origin, flag, "has no effect without --export otlp");
    }
    if (count > 1 && flag != "--otlp-header") {
      findings.Add(origin, flag, "the file has several OTLP exporters; change it there");
    }
  }
}

// A URL of --export stays; one of the file gives way to the variable.
void FinishZipkin(const Environment& environment, ExporterDraft& exporter, Draft& draft,
                  Findings& findings) {
  draft.exporter = exporter;
  if (draft.exporter.origins["endpoint"].layer <= Layer::kFile) {
    ApplyEnvironment(ZipkinKeys(), environment, {draft, findings, draft.exporter.origins});
  }
  if (draft.exporter.options.target.empty()) {
    draft.exporter.options.target = "http://localhost:9411/api/v2/spans";
  }
  exporter = draft.exporter;
}

void FinishExporters(const FlagValues& flags, const Environment& environment, Draft& draft,
                     Findings& findings) {
  ChooseDefault(flags, environment, draft);
  RefuseIdleFlags(flags, draft, findings);
  const auto otlp = std::count_if(draft.exporters.begin(), draft.exporters.end(), IsOtlp);
  for (ExporterDraft& exporter : draft.exporters) {
    exporter.options.console_format = draft.console_format;
    if (exporter.options.kind == ExporterKind::kZipkin) {
      FinishZipkin(environment, exporter, draft, findings);
    }
    if (!IsOtlp(exporter)) continue;
    // Several can only come from the file; each has its own settings then, and one variable cannot
    // mean them all.
    if (otlp == 1) {
      ApplyOverlay({flags, environment, Signal::kTraces}, exporter, draft, findings);
    }
    ResolveOrTell(exporter, "/v1/traces", findings);
  }
  draft.config.exporters.clear();
  for (const ExporterDraft& exporter : draft.exporters) {
    draft.config.exporters.push_back(exporter.options);
  }
}

// service.name is an attribute everywhere outside, and a field of its own for the stages.
void SplitServiceName(ResourceOptions& resource) {
  for (const auto& [name, value] : resource.attributes) {
    if (name == "service.name") resource.service_name = value;
  }
  std::erase_if(resource.attributes, [](const auto& pair) { return pair.first == "service.name"; });
}

std::vector<PortRange> PortsOf(const std::vector<Selector>& selectors) {
  std::vector<PortRange> ports;
  for (const Selector& selector : selectors) {
    if (selector.kind != SelectorKind::kPort) continue;
    const auto range = ParsePortRange(selector.pattern);
    if (range) ports.push_back(*range);
  }
  return ports;
}

// The kernel knows ports, but no rules: it gets them if every rule has some.
void FinishPorts(Draft& draft) {
  std::vector<PortRange>& ports = draft.config.capture.ports;
  ports = PortsOf(draft.config.discovery.include);
  for (RuleDraft& rule : draft.include_rules) {
    rule.settings.ports = PortsOf(rule.selectors);
    ports.insert(ports.end(), rule.settings.ports.begin(), rule.settings.ports.end());
  }
  const bool all = std::ranges::any_of(
      draft.include_rules, [](const RuleDraft& rule) { return rule.settings.ports.empty(); });
  if (all) ports.clear();
}

// As the exporters are called in the metrics.
std::vector<std::string> ExporterLabels(const Draft& draft) {
  constexpr std::array<const char*, 5> kNames = {"console", "otlp", "file", "zipkin", "kafka"};
  static_assert(static_cast<size_t>(ExporterKind::kNone) == kNames.size());
  ComponentNames names;
  std::vector<std::string> labels;
  for (const ExporterDraft& exporter : draft.exporters) {
    const auto kind = static_cast<size_t>(exporter.options.kind);
    if (kind < kNames.size()) labels.push_back(names.Next(kNames.at(kind)));
  }
  return labels;
}

// Baggage is read if its propagator is.
RedactionOptions WithoutUnread(RedactionOptions redaction, const LinkingOptions& linking) {
  if (std::ranges::find(linking.propagators, "baggage") == linking.propagators.end()) {
    redaction.baggage_keys.clear();
  }
  return redaction;
}

RuleSettings SettingsOf(const RuleDraft& rule, const Config& config) {
  constexpr std::array<std::pair<const char*, std::vector<std::string> RedactionOptions::*>, 4>
      kLists = {{{"request_headers", &RedactionOptions::request_headers},
                 {"response_headers", &RedactionOptions::response_headers},
                 {"query_keys", &RedactionOptions::query_keys},
                 {"baggage_keys", &RedactionOptions::baggage_keys}}};
  RuleSettings settings = rule.settings;
  if (!settings.redaction) return settings;
  for (const auto& [key, list] : kLists) {
    if (!rule.origins.contains(key)) *settings.redaction.*list = config.redaction.*list;
  }
  settings.redaction = WithoutUnread(*std::move(settings.redaction), config.linking);
  return settings;
}

void FinishRules(Draft& draft, Findings& findings) {
  const std::vector<std::string> labels = ExporterLabels(draft);
  DiscoveryOptions& discovery = draft.config.discovery;
  discovery.rules.clear();
  discovery.exclude_rules.clear();
  for (const RuleDraft& rule : draft.include_rules) {
    for (const std::string& label : rule.settings.exporters.value_or(std::vector<std::string>())) {
      if (std::ranges::find(labels, label) != labels.end()) continue;
      findings.Add(
          rule.origins.at("exporters"), "exporters",
          "expected " +
              (labels.empty() ? std::string("none, as there is none") : "some of " + Join(labels)) +
              ", got \"" + label + "\"");
    }
    discovery.rules.push_back(
        {.selectors = rule.selectors,
         .settings = std::make_shared<const RuleSettings>(SettingsOf(rule, draft.config))});
  }
  for (const RuleDraft& rule : draft.exclude_rules) {
    discovery.exclude_rules.push_back(rule.selectors);
  }
}

// What processes are chosen by is worth seeing in what they give.
void AddSelectedLabels(Config& config) {
  const auto add = [&config](const std::vector<Selector>& selectors) {
    for (const Selector& selector : selectors) {
      if (selector.kind != SelectorKind::kContainerLabel) continue;
      config.resource.container_labels.push_back(
          selector.pattern.substr(0, selector.pattern.find('=')));
    }
  };
  add(config.discovery.include);
  for (const DiscoveryRule& rule : config.discovery.rules) add(rule.selectors);
}

void CheckTogether(const Draft& draft, Findings& findings) {
  const BatchOptions& batch = draft.config.batch;
  if (batch.max_export_batch_size > batch.max_queue_size) {
    findings.AddError("max_export_batch_size (" + std::to_string(batch.max_export_batch_size) +
                      ") must not be larger than max_queue_size (" +
                      std::to_string(batch.max_queue_size) + ")");
  }
  const LimitOptions& limits = draft.config.limits;
  if (limits.connection_bytes > limits.total_connection_bytes) {
    findings.AddError(
        "sonde.limits.connection_memory must not be larger than total_connection_memory");
  }
  if (limits.max_head_bytes > limits.connection_bytes) {
    findings.AddError("sonde.limits.head_size must not be larger than connection_memory");
  }
  for (const std::string& family : draft.config.capture.probes) {
    const auto& never = draft.config.capture.no_probes;
    if (std::ranges::find(never, family) != never.end()) {
      findings.AddError("probe family " + family + " is both demanded and forbidden");
    }
  }
}

bool IsGiven(const Draft& draft, const std::string& key) {
  const auto origin = draft.origins.find(key);
  return origin != draft.origins.end() && origin->second.layer != Layer::kDefault;
}

}  // namespace

Config Finish(const FlagValues& flags, const Environment& environment, Draft& draft,
              Findings& findings) {
  FinishExporters(flags, environment, draft, findings);
  FinishMetricReaders(flags, environment, draft, findings);
  FinishPorts(draft);
  FinishRules(draft, findings);
  draft.config.admin.chosen = IsGiven(draft, "sonde.admin.listen");
  draft.config.admin.traces_chosen = IsGiven(draft, "sonde.admin.traces");
  CheckTogether(draft, findings);
  Config config = draft.config;
  config.redaction = WithoutUnread(std::move(config.redaction), config.linking);
  SplitServiceName(config.resource);
  AddSelectedLabels(config);
  config.kubernetes.services = config.kubernetes.services && config.resource.peers;
  const KubernetesAttributes& wanted = config.resource.kubernetes;
  config.kubernetes.namespace_metadata = !wanted.namespace_labels.empty() ||
                                         !wanted.namespace_annotations.empty() ||
                                         !config.discovery.opt_annotation.empty();
  return config;
}

}  // namespace sonde::config
