// SPDX-License-Identifier: Apache-2.0
#include "admin/exposition.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "admin/text_writer.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::admin {
namespace {

constexpr std::array<std::string_view, 3> kServiceKeys{"service.name", "service.namespace",
                                                       "deployment.environment.name"};

// UCUM units as words, for names.
std::string_view UnitWord(std::string_view unit) {
  if (unit == "s") return "seconds";
  if (unit == "ms") return "milliseconds";
  if (unit == "By") return "bytes";
  return {};
}

std::string PrometheusName(const MetricData& data) {
  std::string name = MadeValid(data.name);
  const std::string_view unit = UnitWord(data.unit);
  if (!unit.empty() && !name.ends_with(unit)) name.append("_").append(unit);
  if (data.kind == MetricKind::kSum && !name.ends_with("_total")) name.append("_total");
  return name;
}

LabelSet ServiceLabels(const Resource* resource) {
  LabelSet labels;
  if (resource == nullptr) return labels;
  for (const std::string_view key : kServiceKeys) {
    const AttributeValue* value = FindAttribute(resource->attributes, key);
    if (value != nullptr) labels.Add({{key, *value}});
  }
  if (labels.text().empty()) labels.Add("service_name", resource->service_name);
  return labels;
}

void WriteOwn(const MetricFamily& family, TextWriter& out) {
  if (!ValidName(family.name, true)) return;
  const bool counter = family.type == MetricType::kCounter;
  out.Family(family.name, family.help, counter ? MetricKind::kSum : MetricKind::kGauge, "");
  for (const MetricSample& sample : family.samples) {
    LabelSet labels;
    for (const auto& [name, value] : sample.labels) {
      if (ValidName(name, false)) labels.Add(name, value);
    }
    out.Sample(family.name, "", labels.text(), "", sample.value);
  }
}

// A family's le="..." texts, made once for all of its series.
std::vector<std::string> BoundTexts(const std::vector<double>& bounds, const TextWriter& out) {
  std::vector<std::string> texts;
  texts.reserve(bounds.size() + 1);
  for (const double bound : bounds) texts.push_back(out.Bound(bound));
  texts.push_back(out.Bound(std::numeric_limits<double>::infinity()));
  return texts;
}

// Of the bucket between `below` and `upto`; null: none.
const Exemplar* ExemplarIn(const std::vector<Exemplar>& exemplars, double below, double upto) {
  for (const Exemplar& exemplar : exemplars) {
    if (exemplar.value > below && exemplar.value <= upto) return &exemplar;
  }
  return nullptr;
}

void WriteHistogram(std::string_view name, const std::string& labels, const MetricData& data,
                    const MetricPoint& point, const std::vector<std::string>& bounds,
                    TextWriter& out) {
  uint64_t sum = 0;
  double below = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < point.counts.size(); ++i) {
    sum += point.counts[i];
    const double upto =
        i < data.bounds->size() ? (*data.bounds)[i] : std::numeric_limits<double>::infinity();
    const Exemplar* exemplar = ExemplarIn(point.exemplars, below, upto);
    if (exemplar == nullptr) {
      out.Sample(name, "_bucket", labels, bounds[i], sum);
    } else {
      out.Sample(name, "_bucket", labels, bounds[i], sum, *exemplar);
    }
    below = upto;
  }
  out.Sample(name, "_sum", labels, "", point.sum);
  out.Sample(name, "_count", labels, "", point.count);
}

// The same metric of several services is one family.
struct Part {
  const MetricData* data;
  std::string labels;  // of the service
};

void WriteFamily(const std::string& name, const std::vector<Part>& parts, TextWriter& out) {
  const MetricData& first = *parts.front().data;
  out.Family(name, first.description, first.kind, UnitWord(first.unit));
  const bool histogram = first.kind == MetricKind::kHistogram;
  const auto bounds = histogram ? BoundTexts(*first.bounds, out) : std::vector<std::string>{};
  for (const Part& part : parts) {
    for (const MetricPoint& point : part.data->points) {
      LabelSet labels(part.labels);
      if (point.attributes != nullptr) labels.Add(*point.attributes);
      if (histogram) {
        WriteHistogram(name, labels.text(), *part.data, point, bounds, out);
      } else {
        out.Sample(name, "", labels.text(), "", point.value);
      }
    }
  }
}

void WriteTargets(const std::vector<ResourceMetrics>& traced, TextWriter& out) {
  constexpr std::string_view kName = "target_info";
  bool begun = false;
  for (const ResourceMetrics& of : traced) {
    if (of.resource == nullptr) continue;
    if (!begun) out.Info(kName, "What is known of a service.");
    begun = true;
    LabelSet labels = ServiceLabels(of.resource.get());
    labels.Add(of.resource->attributes);
    out.Sample(kName, "", labels.text(), "", uint64_t{1});
  }
}

// Quality that an Accept header gives to a media type; 0: not acceptable, or not named.
double Quality(std::string_view accept, std::string_view media_type) {
  while (!accept.empty()) {
    const size_t comma = accept.find(',');
    std::string_view range = accept.substr(0, comma);
    accept.remove_prefix(comma == std::string_view::npos ? accept.size() : comma + 1);
    while (!range.empty() && range.front() == ' ') range.remove_prefix(1);
    if (!range.starts_with(media_type)) continue;
    const size_t q = range.find("q=");
    if (q == std::string_view::npos) return 1;
    double quality = 1;
    std::from_chars(range.data() + q + 2, range.data() + range.size(), quality);
    return quality;
  }
  return 0;
}

}  // namespace

Exposition Negotiate(std::string_view accept) {
  const double open = Quality(accept, "application/openmetrics-text");
  return open > 0 && open >= Quality(accept, "text/plain") ? Exposition::kOpenMetrics
                                                           : Exposition::kText;
}

const char* ContentType(Exposition format) {
  return format == Exposition::kText ? "text/plain; version=0.0.4; charset=utf-8"
                                     : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

std::string Expose(const std::vector<MetricFamily>& own, const std::vector<ResourceMetrics>& traced,
                   Exposition format) {
  TextWriter out(format);
  for (const MetricFamily& family : own) WriteOwn(family, out);
  std::map<std::string, std::vector<Part>> families;
  for (const ResourceMetrics& of : traced) {
    const std::string labels = ServiceLabels(of.resource.get()).text();
    for (const MetricData& data : of.metrics) {
      families[PrometheusName(data)].push_back({&data, labels});
    }
  }
  for (const auto& [name, parts] : families) WriteFamily(name, parts, out);
  WriteTargets(traced, out);
  return out.Finish();
}

}  // namespace sonde::admin
