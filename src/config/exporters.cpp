// SPDX-License-Identifier: Apache-2.0
#include "config/exporters.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/endpoint.h"
#include "config/kafka_keys.h"
#include "config/origin.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

constexpr std::string_view kExpected =
    "expected console, otlp, file=PATH, zipkin=URL, kafka=HOST:PORT/TOPIC or none";

// The exporter of this kind that the file configured, so that choosing `otlp` keeps its endpoint.
ExporterDraft KeptOrNew(const std::vector<ExporterDraft>& present, ExporterKind kind) {
  for (const ExporterDraft& exporter : present) {
    if (exporter.options.kind == kind) return exporter;
  }
  ExporterDraft fresh;
  fresh.options.kind = kind;
  return fresh;
}

Result<ExporterDraft> Parse(const std::string& spec, const std::vector<ExporterDraft>& present) {
  const size_t equals = spec.find('=');
  const std::string name = spec.substr(0, equals);
  const bool has_target = equals != std::string::npos;
  const std::string target = has_target ? spec.substr(equals + 1) : "";
  const Status unknown =
      absl::InvalidArgumentError(std::string(kExpected) + ", got \"" + spec + "\"");
  ExporterDraft exporter;
  if (name == "otlp" && !has_target) {
    exporter = KeptOrNew(present, ExporterKind::kOtlp);
  } else if (name == "console" && !has_target) {
    exporter.options.kind = ExporterKind::kConsole;
  } else if (name == "none" && !has_target) {
    exporter.options.kind = ExporterKind::kNone;
  } else if (name == "file" && !target.empty()) {
    exporter.options.kind = ExporterKind::kFile;
    exporter.options.target = target;
  } else if (name == "zipkin" && (!has_target || IsHttpUrl(target))) {
    exporter = KeptOrNew(present, ExporterKind::kZipkin);  // or OTEL_EXPORTER_ZIPKIN_ENDPOINT
    if (has_target) exporter.options.target = target;
  } else if (name == "kafka") {
    exporter = KeptOrNew(present, ExporterKind::kKafka);
    if (has_target && !ParseKafkaTarget(target, exporter.options.kafka)) return unknown;
  } else {
    return unknown;
  }
  return exporter;
}

bool Same(const ExporterDraft& a, const ExporterDraft& b) {
  const KafkaOptions& kafka = a.options.kafka;
  return a.options.kind == b.options.kind && a.options.target == b.options.target &&
         kafka.brokers == b.options.kafka.brokers && kafka.topic == b.options.kafka.topic;
}

}  // namespace

void ChooseExporters(const std::vector<std::string>& specs, const Origin& origin, Draft& draft,
                     Findings& findings) {
  std::vector<ExporterDraft> chosen;
  for (const std::string& spec : specs) {
    auto exporter = Parse(spec, draft.exporters);
    if (!exporter.ok()) {
      findings.Add(origin, "exporter", std::string(exporter.status().message()));
      continue;
    }
    exporter->origin = origin;
    if (spec.starts_with("file=")) exporter->origins["output_stream"] = origin;
    if (spec.starts_with("zipkin=")) exporter->origins["endpoint"] = origin;
    if (spec.starts_with("kafka=")) {
      exporter->origins["brokers"] = origin;
      if (spec.find('/') != std::string::npos) exporter->origins["topic"] = origin;
    }
    const bool twice = std::ranges::any_of(
        chosen, [&](const ExporterDraft& other) { return Same(other, *exporter); });
    if (twice) {
      findings.Add(origin, "exporter", "\"" + spec + "\" is given twice");
      continue;
    }
    chosen.push_back(*std::move(exporter));
  }
  const bool none = std::ranges::any_of(chosen, [](const ExporterDraft& exporter) {
    return exporter.options.kind == ExporterKind::kNone;
  });
  if (none && chosen.size() > 1) {
    findings.Add(origin, "exporter", "none stands alone or not at all");
    return;
  }
  if (chosen.empty()) return;
  draft.exporters = std::move(chosen);
  draft.exporters_chosen = true;
}

}  // namespace sonde::config
