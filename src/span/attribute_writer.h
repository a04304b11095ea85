// SPDX-License-Identifier: Apache-2.0
// Appends attributes to a span within the configured limits, with text made valid UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"
#include "span/utf8.h"

namespace sonde::span {

// Keys must be literals or interned (see Attribute). Beyond the count limit attributes are left
// out, the first ones stay: the callers add required attributes first.
class AttributeWriter {
 public:
  AttributeWriter(Attributes& attributes, const AttributeLimits& limits)
      : attributes_(attributes), limits_(limits) {}

  void Text(std::string_view key, std::string_view value) {
    if (Full()) return;
    std::string text;
    AppendUtf8(value, limits_.value_length, text);
    attributes_.emplace_back(key, std::move(text));
  }

  void Number(std::string_view key, int64_t value) {
    if (!Full()) attributes_.emplace_back(key, value);
  }

  void List(std::string_view key, const std::vector<std::string_view>& values) {
    if (Full()) return;
    std::vector<std::string> list(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      AppendUtf8(values[i], limits_.value_length, list[i]);
    }
    attributes_.emplace_back(key, std::move(list));
  }

 private:
  bool Full() const { return attributes_.size() >= limits_.count; }

  Attributes& attributes_;
  const AttributeLimits& limits_;
};

}  // namespace sonde::span
