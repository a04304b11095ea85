// SPDX-License-Identifier: Apache-2.0
#include "config/metric_readers.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/environment.h"
#include "config/key_table.h"
#include "config/origin.h"
#include "config/overlay.h"
#include "config/section.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

constexpr std::string_view kPath = "/v1/metrics";

bool IsOtlp(const MetricReaderDraft& reader) {
  return reader.exporter.options.kind == ExporterKind::kOtlp;
}

MetricReaderDraft KeptOrNew(const std::vector<MetricReaderDraft>& present, ExporterKind kind) {
  for (const MetricReaderDraft& reader : present) {
    if (reader.exporter.options.kind == kind) return reader;
  }
  MetricReaderDraft fresh;
  fresh.exporter.options.kind = kind;
  return fresh;
}

void ChooseDefault(const Environment& environment, Draft& draft) {
  constexpr const char* kEndpoint = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
  if (draft.metric_readers_chosen) return;
  const auto found = environment.find(kEndpoint);
  if (found == environment.end() || found->second.empty()) return;
  MetricReaderDraft reader = KeptOrNew({}, ExporterKind::kOtlp);
  reader.exporter.origin = {Layer::kEnvironment, kEndpoint, 0};
  draft.metric_readers = {std::move(reader)};
}

}  // namespace

void ChooseMetricReaders(const std::vector<std::string>& names, const Origin& origin, Draft& draft,
                         Findings& findings) {
  std::vector<MetricReaderDraft> chosen;
  bool none = false;
  for (const std::string& name : names) {
    if (name == "none" || name == "prometheus") {
      none = none || name == "none";
    } else if (name == "otlp" || name == "console") {
      const auto kind = name == "otlp" ? ExporterKind::kOtlp : ExporterKind::kConsole;
      MetricReaderDraft& reader = chosen.emplace_back(KeptOrNew(draft.metric_readers, kind));
      reader.exporter.origin = origin;
    } else {
      findings.Add(origin, "meter_provider",
                   "expected otlp, console, prometheus or none, got \"" + name + "\"");
      return;
    }
  }
  if (none && names.size() > 1) {
    findings.Add(origin, "meter_provider", "none stands alone or not at all");
    return;
  }
  draft.metric_readers = std::move(chosen);
  draft.metric_readers_chosen = true;
}

void FinishMetricReaders(const FlagValues& flags, const Environment& environment, Draft& draft,
                         Findings& findings) {
  ChooseDefault(environment, draft);
  const bool one_otlp = std::ranges::count_if(draft.metric_readers, IsOtlp) == 1;
  draft.config.metric_readers.clear();
  for (MetricReaderDraft& reader : draft.metric_readers) {
    draft.metric_reader = reader;
    ApplyEnvironment(PeriodicKeys(), environment, {draft, findings, draft.metric_reader.origins});
    if (IsOtlp(reader)) {
      if (one_otlp) {
        ApplyOverlay({flags, environment, Signal::kMetrics}, reader.exporter, draft, findings);
      }
      ResolveOrTell(reader.exporter, kPath, findings);
    }
    const ExporterDraft exporter = std::move(reader.exporter);
    reader = draft.metric_reader;
    reader.exporter = exporter;
    MetricReaderOptions options = reader.options;
    options.exporter = exporter.options;
    draft.config.metrics.exponential = draft.config.metrics.exponential || options.exponential;
    draft.config.metric_readers.push_back(std::move(options));
  }
}

}  // namespace sonde::config
