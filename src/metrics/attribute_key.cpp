// SPDX-License-Identifier: Apache-2.0
#include "metrics/attribute_key.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "sonde/pipeline/span.h"

namespace sonde::metrics {
namespace {

template <typename T>
void AppendRaw(const T& value, std::string& key) {
  key.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

// The length comes first, so that no text can look like two.
void AppendText(std::string_view text, std::string& key) {
  AppendRaw(static_cast<uint32_t>(text.size()), key);
  key.append(text);
}

void AppendValue(const AttributeValue* value, std::string& key) {
  if (value == nullptr) {
    key.push_back('\0');
    return;
  }
  key.push_back(static_cast<char>(value->index() + 1));
  std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) {
          AppendText(held, key);
        } else if constexpr (std::is_arithmetic_v<T>) {
          AppendRaw(held, key);
        } else {
          AppendRaw(static_cast<uint32_t>(held.size()), key);
          for (const std::string& text : held) AppendText(text, key);
        }
      },
      *value);
}

void AppendAll(const Attributes& attributes, std::string& key) {
  for (const Attribute& attribute : attributes) {
    AppendText(attribute.key, key);
    AppendValue(&attribute.value, key);
  }
}

}  // namespace sonde::metrics
