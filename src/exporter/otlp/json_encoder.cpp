// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/json_encoder.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "exporter/json_writer.h"
#include "exporter/otlp/json_parts.h"
#include "exporter/otlp/span_flags.h"
#include "exporter/resource_groups.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

void PutLinks(JsonWriter& json, const std::vector<SpanLink>& links) {
  if (links.empty()) return;
  json.Raw(R"(,"links":[)");
  const char* separator = "";
  for (const SpanLink& link : links) {
    json.Raw(separator);
    json.Raw(R"({"traceId":")");
    json.Hex(link.trace_id);
    json.Raw(R"(","spanId":")");
    json.Hex(link.span_id);
    json.Raw(R"(",)");
    PutAttributes(json, link.attributes);
    json.Raw('}');
    separator = ",";
  }
  json.Raw(']');
}

void PutStatus(JsonWriter& json, const Span& span) {
  json.Raw(R"(,"status":{)");
  const bool has_code = span.status != SpanStatus::kUnset;
  if (has_code) {
    json.Raw(R"("code":)");
    json.Uint(static_cast<uint64_t>(span.status));
  }
  if (!span.status_message.empty()) {
    json.Raw(has_code ? R"(,"message":)" : R"("message":)");
    json.String(span.status_message);
  }
  json.Raw('}');
}

void PutSpan(JsonWriter& json, const Span& span) {
  json.Raw(R"({"traceId":")");
  json.Hex(span.trace_id);
  json.Raw(R"(","spanId":")");
  json.Hex(span.span_id);
  if (!span.tracestate.empty()) {
    json.Raw(R"(","traceState":)");
    json.String(span.tracestate);
    json.Raw(R"(,"parentSpanId":")");
  } else {
    json.Raw(R"(","parentSpanId":")");
  }
  if (span.parent_span_id.valid()) json.Hex(span.parent_span_id);
  json.Raw(R"(","flags":)");
  json.Uint(FlagsOf(span));
  json.Raw(R"(,"name":)");
  json.String(span.name);
  json.Raw(R"(,"kind":)");
  json.Uint(static_cast<uint64_t>(span.kind));
  json.Raw(R"(,"startTimeUnixNano":")");
  json.Uint(span.start_wall_ns);
  json.Raw(R"(","endTimeUnixNano":")");
  json.Uint(span.end_wall_ns);
  json.Raw(R"(",)");
  PutAttributes(json, span.attributes);
  PutLinks(json, span.links);
  PutStatus(json, span);
  json.Raw('}');
}

void PutGroup(JsonWriter& json, const ResourceGroups::Group& group) {
  json.Raw('{');
  PutResource(json, group.resource);
  json.Raw(R"(,"scopeSpans":[{)");
  PutScope(json);
  json.Raw(R"(,"spans":[)");
  const char* separator = "";
  for (const Span* span : group.spans) {
    json.Raw(separator);
    PutSpan(json, *span);
    separator = ",";
  }
  json.Raw("]}]}");
}

}  // namespace

std::string_view JsonEncoder::Encode(std::span<const Span> batch) {
  out_.Clear();
  JsonWriter json(out_);
  json.Raw(R"({"resourceSpans":[)");
  const char* separator = "";
  for (const ResourceGroups::Group& group : groups_.Split(batch)) {
    json.Raw(separator);
    PutGroup(json, group);
    separator = ",";
  }
  json.Raw("]}");
  return out_.view();
}

}  // namespace sonde::exporter
