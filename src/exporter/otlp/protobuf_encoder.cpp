// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/protobuf_encoder.h"

#include <cstdint>
#include <span>
#include <string_view>

#include "exporter/otlp/proto_parts.h"
#include "exporter/otlp/proto_writer.h"
#include "exporter/otlp/span_flags.h"
#include "exporter/resource_groups.h"
#include "opentelemetry/proto/trace/v1/trace.pb.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

namespace trace = opentelemetry::proto::trace::v1;
using Wire = opentelemetry::proto::trace::v1::Span;

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
  PutResource(writer, trace::ResourceSpans::kResourceFieldNumber, group.resource);
  const auto scope_spans = writer.Begin(trace::ResourceSpans::kScopeSpansFieldNumber, 3);
  PutScope(writer, trace::ScopeSpans::kScopeFieldNumber);
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
