// SPDX-License-Identifier: Apache-2.0
#include "exporter/recent/trace_api.h"

#include <absl/container/flat_hash_set.h>
#include <absl/strings/numbers.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <ranges>
#include <string>
#include <vector>

#include "exporter/batch.h"
#include "exporter/otlp/json_encoder.h"
#include "exporter/recent/recent_traces.h"
#include "exporter/recent/trace_query.h"
#include "sonde/base/ids.h"
#include "sonde/base/page.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr size_t kExamples = 5;  // slowest and failing requests per service

std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

PageAnswer Problem(int status, const std::string& text) {
  return {status, Text({{"error", text}})};
}

uint64_t DurationNs(const Span& span) {
  return span.end_wall_ns > span.start_wall_ns ? span.end_wall_ns - span.start_wall_ns : 0;
}

// The newest traces of which a span matches, whole as far as they are still there, as OTLP/JSON.
PageAnswer Traces(const RecentTraces& recent, const PageParameters& parameters) {
  const auto query = TraceQuery::Parse(parameters);
  if (!query.ok()) return Problem(kBadRequest, std::string(query.status().message()));
  const std::vector<Batch> batches = recent.Batches();
  absl::flat_hash_set<TraceId, OpaqueIdHash> wanted;
  for (const Batch& batch : std::views::reverse(batches)) {
    for (const Span& span : std::views::reverse(*batch)) {
      if (wanted.size() < query->limit && query->Matches(span)) wanted.insert(span.trace_id);
    }
  }
  std::vector<Span> spans;
  for (const Batch& batch : batches) {
    for (const Span& span : *batch) {
      if (wanted.contains(span.trace_id)) spans.push_back(span);
    }
  }
  JsonEncoder encoder;
  return {.body = std::string(encoder.Encode(spans)) + "\n"};
}

Json Example(const Span& span) {
  return {{"traceId", span.trace_id.ToHex()},
          {"spanId", span.span_id.ToHex()},
          {"name", span.name},
          {"startTimeUnixNano", std::to_string(span.start_wall_ns)},
          {"durationNano", std::to_string(DurationNs(span))}};
}

// The batches must outlive it.
class ServiceView {
 public:
  void Add(const Span& span) {
    ++spans_;
    if (span.status == SpanStatus::kError) {
      ++errors_;
      failing_.push_back(&span);
    }
    slowest_.push_back(&span);
    if (slowest_.size() >= 4 * kExamples) KeepSlowest();
    if (failing_.size() > kExamples) failing_.erase(failing_.begin());
  }

  Json ToJson(const std::string& name) {
    KeepSlowest();
    Json json{{"service", name}, {"spans", spans_}, {"errors", errors_}};
    json["slowest"] = Json::array();
    for (const Span* span : slowest_) json["slowest"].push_back(Example(*span));
    json["failing"] = Json::array();
    for (const Span* span : std::views::reverse(failing_)) {
      json["failing"].push_back(Example(*span));
    }
    return json;
  }

 private:
  void KeepSlowest() {
    std::ranges::sort(slowest_, std::ranges::greater(),
                      [](const Span* span) { return DurationNs(*span); });
    if (slowest_.size() > kExamples) slowest_.resize(kExamples);
  }

  size_t spans_ = 0;
  size_t errors_ = 0;
  std::vector<const Span*> slowest_;
  std::vector<const Span*> failing_;  // the newest
};

PageAnswer Services(const RecentTraces& recent, const PageParameters& parameters) {
  if (!parameters.empty()) return Problem(kBadRequest, "/api/services takes no parameters");
  const std::vector<Batch> batches = recent.Batches();
  std::map<std::string, ServiceView> services;
  for (const Batch& batch : batches) {
    for (const Span& span : *batch) {
      services[span.resource == nullptr ? "" : span.resource->service_name].Add(span);
    }
  }
  Json json = Json::array();
  for (auto& [name, view] : services) json.push_back(view.ToJson(name));
  return {.body = Text({{"services", json}})};
}

// A number from 1 on; 0 if the parameter is missing, nothing if it makes no sense.
std::optional<uint32_t> Number(const PageParameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return 0;
  uint32_t number = 0;
  if (!absl::SimpleAtoi(found->second, &number) || number == 0) return std::nullopt;
  return number;
}

PageAnswer TraceAt(const RecentTraces& recent, const PageParameters& parameters) {
  const auto pid = Number(parameters, "pid");
  const auto tid = Number(parameters, "tid");
  const auto time = parameters.find("time");
  const auto wall_ns = time == parameters.end() ? std::nullopt : ParseWallNs(time->second);
  if (!pid || *pid == 0 || !tid || !wall_ns) {
    return Problem(kBadRequest, "expected pid=N, time=T (Unix time or RFC 3339), optionally tid=N");
  }
  const auto requests = recent.At(*pid, *tid, *wall_ns);
  if (requests.empty()) return Problem(kNotFound, "no request of that process at that time");
  Json found = Json::array();
  for (const Residence& request : requests) {
    found.push_back({{"traceId", request.trace_id.ToHex()},
                     {"spanId", request.span_id.ToHex()},
                     {"startTimeUnixNano", std::to_string(request.start_wall_ns)},
                     {"endTimeUnixNano", std::to_string(request.end_wall_ns)}});
  }
  return {.body = Text({{"certain", requests.size() == 1}, {"spans", found}})};
}

}  // namespace

std::vector<Page> TracePages(const RecentTraces& recent) {
  const auto page = [&recent](const char* path, auto read) {
    return Page{path, [&recent, read](const PageParameters& parameters) {
                  return read(recent, parameters);
                }};
  };
  return {page("/api/traces", Traces), page("/api/services", Services),
          page("/api/trace-at", TraceAt)};
}

}  // namespace sonde::exporter
