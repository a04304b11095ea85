// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/json_parts.h"

#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "exporter/json_writer.h"
#include "exporter/version.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

void PutStringArray(JsonWriter& json, const std::vector<std::string>& texts) {
  json.Raw(R"("arrayValue":{"values":[)");
  const char* separator = "";
  for (const std::string& text : texts) {
    json.Raw(separator);
    json.Raw(R"({"stringValue":)");
    json.String(text);
    json.Raw('}');
    separator = ",";
  }
  json.Raw("]}");
}

void PutValue(JsonWriter& json, const AttributeValue& value) {
  std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) {
          json.Raw(R"("stringValue":)");
          json.String(held);
        } else if constexpr (std::is_same_v<T, bool>) {
          json.Raw(held ? R"("boolValue":true)" : R"("boolValue":false)");
        } else if constexpr (std::is_same_v<T, int64_t>) {
          json.Raw(R"("intValue":")");
          json.Int(held);
          json.Raw('"');
        } else if constexpr (std::is_same_v<T, double>) {
          json.Raw(R"("doubleValue":)");
          json.Double(held);
        } else {
          PutStringArray(json, held);
        }
      },
      value);
}

}  // namespace

void PutAttributes(JsonWriter& json, const Attributes& attributes) {
  json.Raw(R"("attributes":[)");
  const char* separator = "";
  for (const Attribute& attribute : attributes) {
    json.Raw(separator);
    json.Raw(R"({"key":)");
    json.String(attribute.key);
    json.Raw(R"(,"value":{)");
    PutValue(json, attribute.value);
    json.Raw("}}");
    separator = ",";
  }
  json.Raw(']');
}

void PutResource(JsonWriter& json, const Resource* resource) {
  json.Raw(R"("resource":{)");
  if (resource != nullptr) PutAttributes(json, resource->attributes);
  json.Raw('}');
}

void PutScope(JsonWriter& json) {
  json.Raw(R"("scope":{"name":)");
  json.String(kScopeName);
  json.Raw(R"(,"version":)");
  json.String(kVersion);
  json.Raw('}');
}

}  // namespace sonde::exporter
