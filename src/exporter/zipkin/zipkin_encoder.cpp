// SPDX-License-Identifier: Apache-2.0
#include "exporter/zipkin/zipkin_encoder.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "exporter/byte_buffer.h"
#include "exporter/json_writer.h"
#include "exporter/version.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

constexpr uint64_t kNsPerUs = 1000;

const char* KindOf(SpanKind kind) {
  switch (kind) {
    case SpanKind::kServer:
      return "SERVER";
    case SpanKind::kClient:
      return "CLIENT";
    case SpanKind::kProducer:
      return "PRODUCER";
    case SpanKind::kConsumer:
      return "CONSUMER";
    case SpanKind::kInternal:
      break;
  }
  return nullptr;
}

// Tags are strings; a list is the JSON array as a string.
void PutTagValue(JsonWriter& json, ByteBuffer& scratch, const AttributeValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return json.String(*text);
  scratch.Clear();
  JsonWriter inner(scratch);
  std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, bool>) {
          inner.Raw(held ? "true" : "false");
        } else if constexpr (std::is_same_v<T, int64_t>) {
          inner.Int(held);
        } else if constexpr (std::is_same_v<T, double>) {
          inner.Double(held);
        } else if constexpr (!std::is_same_v<T, std::string>) {
          inner.Raw('[');
          for (size_t i = 0; i < held.size(); ++i) {
            if (i > 0) inner.Raw(',');
            inner.String(held[i]);
          }
          inner.Raw(']');
        }
      },
      value);
  json.String(scratch.view());
}

void PutRemote(JsonWriter& json, const Span& span) {
  const AttributeValue* address = FindAttribute(span.attributes, "network.peer.address");
  const AttributeValue* port = FindAttribute(span.attributes, "network.peer.port");
  const auto* text = address == nullptr ? nullptr : std::get_if<std::string>(address);
  const auto* number = port == nullptr ? nullptr : std::get_if<int64_t>(port);
  if (text == nullptr || number == nullptr) return;  // a unix socket
  json.Raw(text->find(':') == std::string::npos ? R"(,"remoteEndpoint":{"ipv4":)"
                                                : R"(,"remoteEndpoint":{"ipv6":)");
  json.String(*text);
  json.Raw(R"(,"port":)");
  json.Int(*number);
  json.Raw('}');
}

void PutTags(JsonWriter& json, ByteBuffer& scratch, const Span& span) {
  json.Raw(R"(,"tags":{"otel.scope.name":")");
  json.Raw(kScopeName);
  json.Raw(R"(","otel.scope.version":")");
  json.Raw(kVersion);
  json.Raw('"');
  if (span.status == SpanStatus::kError) {
    json.Raw(R"(,"otel.status_code":"ERROR","error":)");
    json.String(span.status_message);
  } else if (span.status == SpanStatus::kOk) {
    json.Raw(R"(,"otel.status_code":"OK")");
  }
  for (const Attribute& attribute : span.attributes) {
    if (attribute.key == "error") continue;  // set above, and JSON keys must not repeat
    json.Raw(',');
    json.String(attribute.key);
    json.Raw(':');
    PutTagValue(json, scratch, attribute.value);
  }
  json.Raw('}');
}

void PutSpan(JsonWriter& json, ByteBuffer& scratch, const Span& span) {
  json.Raw(R"({"traceId":")");
  json.Hex(span.trace_id);
  json.Raw(R"(","id":")");
  json.Hex(span.span_id);
  if (span.parent_span_id.valid()) {
    json.Raw(R"(","parentId":")");
    json.Hex(span.parent_span_id);
  }
  if (const char* kind = KindOf(span.kind); kind != nullptr) {
    json.Raw(R"(","kind":")");
    json.Raw(kind);
  }
  json.Raw(R"(","name":)");
  json.String(span.name);
  json.Raw(R"(,"timestamp":)");
  json.Uint(span.start_wall_ns / kNsPerUs);
  json.Raw(R"(,"duration":)");
  const uint64_t ns =
      span.end_wall_ns > span.start_wall_ns ? span.end_wall_ns - span.start_wall_ns : 0;
  json.Uint(std::max<uint64_t>(1, ns / kNsPerUs));  // Zipkin drops a duration of 0
  json.Raw(R"(,"localEndpoint":{"serviceName":)");
  json.String(span.resource == nullptr ? std::string_view("unknown_service")
                                       : std::string_view(span.resource->service_name));
  json.Raw('}');
  PutRemote(json, span);
  PutTags(json, scratch, span);
  json.Raw('}');
}

}  // namespace

std::string_view ZipkinEncoder::Encode(std::span<const Span> batch) {
  out_.Clear();
  JsonWriter json(out_);
  json.Raw('[');
  const char* separator = "";
  for (const Span& span : batch) {
    json.Raw(separator);
    PutSpan(json, tag_, span);
    separator = ",";
  }
  json.Raw(']');
  return out_.view();
}

}  // namespace sonde::exporter
