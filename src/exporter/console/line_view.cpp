// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/line_view.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "exporter/byte_buffer.h"
#include "exporter/console/row.h"
#include "exporter/console/style.h"
#include "exporter/console/summary.h"
#include "exporter/console/text.h"
#include "exporter/json_writer.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

constexpr size_t kShortTraceId = 8;  // hexadecimal digits
constexpr size_t kKindWidth = 8;
constexpr size_t kServiceWidth = 16;

void PutJsonValue(JsonWriter& json, const AttributeValue& value) {
  std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) {
          json.String(held);
        } else if constexpr (std::is_same_v<T, bool>) {
          json.Raw(held ? "true" : "false");
        } else if constexpr (std::is_same_v<T, int64_t>) {
          json.Int(held);
        } else if constexpr (std::is_same_v<T, double>) {
          json.Double(held);
        } else {
          json.Raw('[');
          for (size_t i = 0; i < held.size(); ++i) {
            if (i > 0) json.Raw(',');
            json.String(held[i]);
          }
          json.Raw(']');
        }
      },
      value);
}

const char* StatusName(SpanStatus status) {
  if (status == SpanStatus::kError) return "error";
  return status == SpanStatus::kOk ? "ok" : "unset";
}

}  // namespace

void AppendLine(std::string& out, const Span& span, const Style& style) {
  const Summary summary = Summarise(span);
  Row row(style, style.terminal ? style.width : SIZE_MAX);
  row.Add(Ink::kDim, FormatTimeOfDay(span.start_wall_ns));
  row.Add(Ink::kDim, span.trace_id.ToHex().substr(0, kShortTraceId), 1);
  row.Add(Ink::kPlain, KindName(span.kind), 1);
  row.PadTo(row.width() + kKindWidth - KindName(span.kind).size());
  row.Add(InkOfStatus(summary), summary.status.empty() ? "-" : summary.status, 1);
  row.PadTo(row.width() + (summary.status.empty() ? 2 : 0));
  row.AddRight(summary.failed ? Ink::kRed : Ink::kPlain, FormatDuration(DurationOf(span)), 9);
  row.Add(InkOfService(summary.service), summary.service, 2);
  row.PadTo(row.width() + kServiceWidth - std::min(kServiceWidth, SafeWidth(summary.service)));
  AddWhat(row, summary, 1);
  row.AppendTo(out);
}

void AppendJsonLine(ByteBuffer& out, const Span& span) {
  JsonWriter json(out);
  json.Raw(R"({"time":")");
  json.Raw(FormatTimestamp(span.start_wall_ns));
  json.Raw(R"(","trace_id":")");
  json.Hex(span.trace_id);
  json.Raw(R"(","span_id":")");
  json.Hex(span.span_id);
  json.Raw(R"(","parent_span_id":")");
  if (span.parent_span_id.valid()) json.Hex(span.parent_span_id);
  json.Raw(R"(","kind":")");
  json.Raw(KindName(span.kind));
  json.Raw(R"(","service":)");
  json.String(span.resource == nullptr ? std::string_view{}
                                       : std::string_view(span.resource->service_name));
  json.Raw(R"(,"name":)");
  json.String(span.name);
  json.Raw(R"(,"duration_ns":)");
  json.Uint(DurationOf(span));
  json.Raw(R"(,"status":")");
  json.Raw(StatusName(span.status));
  json.Raw(R"(","attributes":{)");
  const char* separator = "";
  for (const Attribute& attribute : span.attributes) {
    json.Raw(separator);
    json.String(attribute.key);
    json.Raw(':');
    PutJsonValue(json, attribute.value);
    separator = ",";
  }
  json.Raw("}}\n");
}

}  // namespace sonde::exporter
