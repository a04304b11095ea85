// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/protobuf_encoder.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "exporter/otlp/proto_writer.h"
#include "exporter/otlp/span_flags.h"
#include "exporter/resource_groups.h"
#include "exporter/version.h"
#include "opentelemetry/proto/common/v1/common.pb.h"
#include "opentelemetry/proto/resource/v1/resource.pb.h"
#include "opentelemetry/proto/trace/v1/trace.pb.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

namespace common = opentelemetry::proto::common::v1;
namespace trace = opentelemetry::proto::trace::v1;
using Wire = opentelemetry::proto::trace::v1::Span;

void PutValue(ProtoWriter& writer, const AttributeValue& value) {
  std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) {
          writer.String(common::AnyValue::kStringValueFieldNumber, held);
        } else if constexpr (std::is_same_v<T, bool>) {
          writer.Varint(common::AnyValue::kBoolValueFieldNumber, held ? 1 : 0);
        } else if constexpr (std::is_same_v<T, int64_t>) {
          writer.Varint(common::AnyValue::kIntValueFieldNumber, static_cast<uint64_t>(held));
        } else if constexpr (std::is_same_v<T, double>) {
          writer.Double(common::AnyValue::kDoubleValueFieldNumber, held);
        } else {
          const auto array = writer.Begin(common::AnyValue::kArrayValueFieldNumber, 1);
          for (const std::string& text : held) {
            const auto element = writer.Begin(common::ArrayValue::kValuesFieldNumber, 1);
            writer.String(common::AnyValue::kStringValueFieldNumber, text);
            writer.End(element);
          }
          writer.End(array);
        }
      },
      value);
}

void PutAttributes(ProtoWriter& writer, int field, const Attributes& attributes) {
  for (const Attribute& attribute : attributes) {
    const auto pair = writer.Begin(field, 1);
    writer.String(common::KeyValue::kKeyFieldNumber, attribute.key);
    const auto value = writer.Begin(common::KeyValue::kValueFieldNumber, 1);
    PutValue(writer, attribute.value);
    writer.End(value);
    writer.End(pair);
  }
}

void PutLink(ProtoWriter& writer, const SpanLink& link) {
  const auto mark = writer.Begin(Wire::kLinksFieldNumber);
  writer.Bytes(Wire::Link::kTraceIdFieldNumber, link.trace_id.view());
  writer.Bytes(Wire::Link::kSpanIdFieldNumber, link.span_id.view());
  PutAttributes(writer, Wire::Link::kAttributesFieldNumber, link.attributes);
  writer.End(mark);
}

void PutStatus(ProtoWriter& writer, const Span& span) {
  if (span.status == SpanStatus::kUnset && span.status_message.empty()) return;
  const auto mark = writer.Begin(Wire::kStatusFieldNumber, 1);
  if (!span.status_message.empty()) {
    writer.String(trace::Status::kMessageFieldNumber, span.status_message);
  }
  writer.Varint(trace::Status::kCodeFieldNumber, static_cast<uint64_t>(span.status));
  writer.End(mark);
}

void PutSpan(ProtoWriter& writer, const Span& span) {
  const auto mark = writer.Begin(trace::ScopeSpans::kSpansFieldNumber);
  writer.Bytes(Wire::kTraceIdFieldNumber, span.trace_id.view());
  writer.Bytes(Wire::kSpanIdFieldNumber, span.span_id.view());
  if (!span.tracestate.empty()) writer.String(Wire::kTraceStateFieldNumber, span.tracestate);
  if (span.parent_span_id.valid()) {
    writer.Bytes(Wire::kParentSpanIdFieldNumber, span.parent_span_id.view());
  }
  writer.String(Wire::kNameFieldNumber, span.name);
  writer.Varint(Wire::kKindFieldNumber, static_cast<uint64_t>(span.kind));
  writer.Fixed64(Wire::kStartTimeUnixNanoFieldNumber, span.start_wall_ns);
  writer.Fixed64(Wire::kEndTimeUnixNanoFieldNumber, span.end_wall_ns);
  PutAttributes(writer, Wire::kAttributesFieldNumber, span.attributes);
  for (const SpanLink& link : span.links) PutLink(writer, link);
  PutStatus(writer, span);
  writer.Fixed32(Wire::kFlagsFieldNumber, FlagsOf(span));
  writer.End(mark);
}

void PutGroup(ProtoWriter& writer, const ResourceGroups::Group& group) {
  const auto resource_spans = writer.Begin(trace::TracesData::kResourceSpansFieldNumber, 3);
  if (group.resource != nullptr) {
    const auto resource = writer.Begin(trace::ResourceSpans::kResourceFieldNumber);
    PutAttributes(writer, opentelemetry::proto::resource::v1::Resource::kAttributesFieldNumber,
                  group.resource->attributes);
    writer.End(resource);
  }
  const auto scope_spans = writer.Begin(trace::ResourceSpans::kScopeSpansFieldNumber, 3);
  const auto scope = writer.Begin(trace::ScopeSpans::kScopeFieldNumber, 1);
  writer.Bytes(common::InstrumentationScope::kNameFieldNumber, kScopeName);
  writer.Bytes(common::InstrumentationScope::kVersionFieldNumber, kVersion);
  writer.End(scope);
  for (const Span* span : group.spans) PutSpan(writer, *span);
  writer.End(scope_spans);
  writer.End(resource_spans);
}

}  // namespace

std::string_view ProtobufEncoder::Encode(std::span<const Span> batch) {
  out_.Clear();
  ProtoWriter writer(out_);
  for (const ResourceGroups::Group& group : groups_.Split(batch)) PutGroup(writer, group);
  return out_.view();
}

}  // namespace sonde::exporter
