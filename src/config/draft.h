// SPDX-License-Identifier: Apache-2.0
// The configuration while it is being put together: layer by layer (default, file, environment,
// flag), each overwriting the one before. Finish() turns it into the Config that the stages see.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/environment.h"
#include "config/origin.h"
#include "sonde/config/config.h"

namespace sonde::config {

// How an endpoint becomes a URL (OTLP exporter specification, "Endpoint URLs for OTLP/HTTP").
enum class EndpointRule {
  kAsIs,  // OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, file
  kBase,  // OTEL_EXPORTER_OTLP_ENDPOINT: the path of the signal is appended
  kFlag,  // --otlp-endpoint: it is appended, in place of /v1/traces if that is there
};

struct ExporterDraft {
  ExporterOptions options;
  Origin origin;    // of the exporter itself
  Origins origins;  // of its keys, by their name below the exporter
  std::string endpoint;
  EndpointRule endpoint_rule = EndpointRule::kAsIs;
  std::optional<OtlpProtocol> protocol;
  std::optional<bool> insecure;
};

// An entry of sonde.discovery.include[] or exclude[].
struct RuleDraft {
  std::vector<Selector> selectors;
  RuleSettings settings;
  Origins origins;  // of its keys, by their name below the rule
};

// A reader of meter_provider; its exporter's keys are those of any exporter.
struct MetricReaderDraft {
  ExporterDraft exporter;
  MetricReaderOptions options;  // without `exporter`
  Origins origins;              // of the keys beside the exporter
};

struct Draft {
  Config config;
  Origins origins;
  std::string file_format;  // checked, not used
  ConsoleFormat console_format = ConsoleFormat::kTree;
  std::vector<ExporterDraft> exporters;
  bool exporters_chosen = false;  // by file, environment or flag
  ExporterDraft exporter;         // the one that is being read, overlaid or printed
  std::vector<RuleDraft> include_rules;
  std::vector<RuleDraft> exclude_rules;
  RuleDraft rule;  // the one that is being read or printed
  std::vector<MetricReaderDraft> metric_readers;
  bool metric_readers_chosen = false;
  MetricReaderDraft metric_reader;  // as `exporter`
};

// Values by flag, in the order given.
using FlagValues = std::map<std::string, std::vector<std::string>, std::less<>>;

// Chooses the default exporter, applies the OTLP variables and flags, builds the endpoint URLs and
// checks what no single key can. The draft stays printable; the result is what the stages get.
Config Finish(const FlagValues& flags, const Environment& environment, Draft& draft,
              Findings& findings);

}  // namespace sonde::config
