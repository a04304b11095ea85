// SPDX-License-Identifier: Apache-2.0
#include "span/baggage.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "span/attribute_writer.h"
#include "span/header_names.h"
#include "span/percent.h"

namespace sonde::span {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Value of `key` in "key1=value1;property,key2=value2", undecoded.
std::optional<std::string_view> FindMember(std::string_view list, std::string_view key) {
  std::optional<std::string_view> found;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view member = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    const size_t equals = member.find('=');
    if (equals == std::string_view::npos || Trim(member.substr(0, equals)) != key) continue;
    const std::string_view value = member.substr(equals + 1);
    found = Trim(value.substr(0, value.find(';')));
  }
  return found;
}

std::string Decode(std::string_view text) {
  std::string decoded;
  while (!text.empty()) decoded.push_back(TakeDecoded(text));
  return decoded;
}

}  // namespace

Baggage::Baggage(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    allowed_.push_back({.key = key,
                        .attribute = InternKey("baggage." + key),
                        .jaeger_header = "uberctx-" + LowerCase(key),
                        .opentracing_header = "ot-baggage-" + LowerCase(key)});
  }
}

void Baggage::Describe(const std::vector<HttpHeader>& headers, AttributeWriter& writer) const {
  for (const Allowed& allowed : allowed_) {
    std::optional<std::string> value;
    for (const HttpHeader& header : headers) {
      if (header.name == "baggage") {
        if (const auto found = FindMember(header.value, allowed.key)) value = Decode(*found);
      } else if (header.name == allowed.jaeger_header) {
        value = Decode(header.value);
      } else if (header.name == allowed.opentracing_header) {
        value = header.value;
      }
    }
    if (value) writer.Text(allowed.attribute, *value);
  }
}

}  // namespace sonde::span
