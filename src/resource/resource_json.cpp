// SPDX-License-Identifier: Apache-2.0
#include "resource/resource_json.h"

#include <absl/status/status.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "resource/owned_resource.h"
#include "resource/text.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/span.h"

namespace sonde::resource {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxTextBytes = 1U << 20;
constexpr size_t kMaxAttributes = 1024;

struct ValueToJson {
  Json operator()(const std::string& text) const { return {{"stringValue", text}}; }
  Json operator()(int64_t number) const { return {{"intValue", std::to_string(number)}}; }
  Json operator()(double number) const { return {{"doubleValue", number}}; }
  Json operator()(bool flag) const { return {{"boolValue", flag}}; }
  Json operator()(const std::vector<std::string>& list) const {
    Json values = Json::array();
    for (const std::string& text : list) values.push_back({{"stringValue", text}});
    return {{"arrayValue", {{"values", std::move(values)}}}};
  }
};

const Json* Member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

// Protobuf's JSON form writes 64-bit numbers as strings and reads both.
std::optional<int64_t> Integer(const Json& value) {
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<AttributeValue> StringList(const Json& array) {
  const Json* values = Member(array, "values");
  if (values == nullptr || !values->is_array()) return std::nullopt;
  std::vector<std::string> list;
  for (const Json& value : *values) {
    const Json* text = Member(value, "stringValue");
    if (text == nullptr || !text->is_string()) return std::nullopt;
    list.push_back(ToUtf8(text->get_ref<const std::string&>()));
  }
  return list;
}

std::optional<AttributeValue> Value(const Json& value) {
  if (const Json* text = Member(value, "stringValue"); text != nullptr && text->is_string()) {
    return ToUtf8(text->get_ref<const std::string&>());
  }
  if (const Json* number = Member(value, "intValue")) {
    const auto integer = Integer(*number);
    if (integer) return *integer;
  }
  if (const Json* number = Member(value, "doubleValue"); number != nullptr && number->is_number()) {
    return number->get<double>();
  }
  if (const Json* flag = Member(value, "boolValue"); flag != nullptr && flag->is_boolean()) {
    return flag->get<bool>();
  }
  if (const Json* array = Member(value, "arrayValue")) return StringList(*array);
  return std::nullopt;
}

}  // namespace

std::string ToJson(const Resource& resource) {
  Json attributes = Json::array();
  for (const Attribute& attribute : resource.attributes) {
    attributes.push_back(
        {{"key", attribute.key}, {"value", std::visit(ValueToJson{}, attribute.value)}});
  }
  const Json object = {{"attributes", std::move(attributes)}};
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::shared_ptr<const OwnedResource>> FromJson(std::string_view text) {
  if (text.size() > kMaxTextBytes)
    return absl::InvalidArgumentError("resource: over 1 MiB of JSON");
  const Json object = Json::parse(text, nullptr, false);
  const Json* attributes = Member(object, "attributes");
  if (attributes == nullptr || !attributes->is_array() || attributes->size() > kMaxAttributes) {
    return absl::InvalidArgumentError(
        "resource: expected a JSON object with an array of at most 1024 attributes");
  }
  ResourceBuilder builder;
  for (const Json& attribute : *attributes) {
    const Json* key = Member(attribute, "key");
    const Json* member = Member(attribute, "value");
    if (key == nullptr || !key->is_string() || member == nullptr) continue;
    auto value = Value(*member);
    if (value) builder.AddOwned(ToUtf8(key->get_ref<const std::string&>()), std::move(*value));
  }
  return builder.Build();
}

}  // namespace sonde::resource
