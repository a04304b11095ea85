// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/protobuf_decoder.h"

#include <google/protobuf/repeated_ptr_field.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "exporter/otlp/span_flags.h"
#include "opentelemetry/proto/common/v1/common.pb.h"
#include "opentelemetry/proto/trace/v1/trace.pb.h"
#include "sonde/base/ids.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

namespace common = opentelemetry::proto::common::v1;
namespace trace = opentelemetry::proto::trace::v1;

// Owns the texts that the keys point to.
using Source = std::shared_ptr<const trace::TracesData>;

struct DecodedResource : Resource {
  Source source;
};

struct DecodedBatch {
  Source source;
  std::vector<Span> spans;
};

template <typename Id>
Id IdOf(const std::string& bytes) {
  Id id;
  if (bytes.size() == id.bytes.size()) std::ranges::copy(bytes, id.bytes.begin());
  return id;
}

AttributeValue ValueOf(const common::AnyValue& value) {
  switch (value.value_case()) {
    case common::AnyValue::kBoolValue:
      return value.bool_value();
    case common::AnyValue::kIntValue:
      return int64_t{value.int_value()};
    case common::AnyValue::kDoubleValue:
      return value.double_value();
    case common::AnyValue::kArrayValue: {
      std::vector<std::string> texts;
      for (const auto& element : value.array_value().values()) {
        texts.push_back(element.string_value());
      }
      return texts;
    }
    default:
      return value.string_value();
  }
}

Attributes AttributesOf(const google::protobuf::RepeatedPtrField<common::KeyValue>& pairs) {
  Attributes attributes;
  attributes.reserve(static_cast<size_t>(pairs.size()));
  for (const auto& pair : pairs) attributes.push_back({pair.key(), ValueOf(pair.value())});
  return attributes;
}

Span SpanOf(const trace::Span& wire) {
  Span span;
  span.trace_id = IdOf<TraceId>(wire.trace_id());
  span.span_id = IdOf<SpanId>(wire.span_id());
  span.parent_span_id = IdOf<SpanId>(wire.parent_span_id());
  SetFlags(wire.flags(), span);
  span.tracestate = wire.trace_state();
  span.kind = static_cast<SpanKind>(wire.kind());
  span.status = static_cast<SpanStatus>(wire.status().code());
  span.status_message = wire.status().message();
  span.name = wire.name();
  span.start_wall_ns = wire.start_time_unix_nano();
  span.end_wall_ns = wire.end_time_unix_nano();
  span.attributes = AttributesOf(wire.attributes());
  for (const auto& link : wire.links()) {
    span.links.push_back({IdOf<TraceId>(link.trace_id()), IdOf<SpanId>(link.span_id()),
                          AttributesOf(link.attributes())});
  }
  return span;
}

std::shared_ptr<const Resource> ResourceOf(const trace::ResourceSpans& group,
                                           const Source& source) {
  if (!group.has_resource()) return nullptr;
  auto resource = std::make_shared<DecodedResource>();
  resource->attributes = AttributesOf(group.resource().attributes());
  resource->source = source;
  const AttributeValue* name = FindAttribute(resource->attributes, "service.name");
  const auto* text = name == nullptr ? nullptr : std::get_if<std::string>(name);
  if (text != nullptr) resource->service_name = *text;
  return resource;
}

}  // namespace

std::shared_ptr<const std::vector<Span>> DecodeProtobuf(std::string_view bytes) {
  auto message = std::make_shared<trace::TracesData>();
  if (!message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return nullptr;
  auto batch = std::make_shared<DecodedBatch>();
  batch->source = message;
  for (const auto& group : message->resource_spans()) {
    const auto resource = ResourceOf(group, batch->source);
    for (const auto& scope : group.scope_spans()) {
      for (const auto& wire : scope.spans()) {
        batch->spans.push_back(SpanOf(wire));
        batch->spans.back().resource = resource;
      }
    }
  }
  return {batch, &batch->spans};
}

}  // namespace sonde::exporter
