// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/proto_parts.h"

#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>

#include "exporter/otlp/proto_writer.h"
#include "exporter/version.h"
#include "opentelemetry/proto/common/v1/common.pb.h"
#include "opentelemetry/proto/resource/v1/resource.pb.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

namespace common = opentelemetry::proto::common::v1;

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

}  // namespace

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

void PutResource(ProtoWriter& writer, int field, const Resource* resource) {
  if (resource == nullptr) return;
  const auto mark = writer.Begin(field);
  PutAttributes(writer, opentelemetry::proto::resource::v1::Resource::kAttributesFieldNumber,
                resource->attributes);
  writer.End(mark);
}

void PutScope(ProtoWriter& writer, int field) {
  const auto scope = writer.Begin(field, 1);
  writer.Bytes(common::InstrumentationScope::kNameFieldNumber, kScopeName);
  writer.Bytes(common::InstrumentationScope::kVersionFieldNumber, kVersion);
  writer.End(scope);
}

}  // namespace sonde::exporter
