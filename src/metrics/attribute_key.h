// SPDX-License-Identifier: Apache-2.0
// Attribute values as bytes, so that a set of them can be looked up: equal bytes, equal values.
#pragma once

#include <string>
#include <string_view>

#include "sonde/pipeline/span.h"

namespace sonde::metrics {

void AppendText(std::string_view text, std::string& key);
// Null: not there, which differs from every value.
void AppendValue(const AttributeValue* value, std::string& key);
// Key and value of each.
void AppendAll(const Attributes& attributes, std::string& key);

}  // namespace sonde::metrics
