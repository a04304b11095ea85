// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "sonde/pipeline/span.h"

namespace sonde {

const AttributeValue* FindAttribute(const Attributes& attributes, std::string_view key) {
  for (const Attribute& attribute : attributes) {
    if (attribute.key == key) return &attribute.value;
  }
  return nullptr;
}

}  // namespace sonde
