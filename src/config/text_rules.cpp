// SPDX-License-Identifier: Apache-2.0
#include "config/text_rules.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"
#include "config/text.h"
#include "config/units.h"
#include "config/yaml_node.h"

namespace sonde::config {
namespace {

bool ValidFormat(std::string_view text) {
  const std::string_view minor = text.substr(0, text.find('-'));  // "1.0-rc.2" is 1.0
  return minor.starts_with("1.") && ParseUnsigned(minor.substr(2)).has_value();
}

bool NotEmpty(std::string_view text) { return !text.empty(); }

bool ValidListen(std::string_view text) {
  if (text == "off") return true;
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = text.substr(0, colon);
  const bool bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
  if (!bracketed && host.find(':') != std::string_view::npos) return false;  // bare IPv6
  const auto port = ParseUnsigned(text.substr(colon + 1));
  return port && *port <= UINT16_MAX;
}

bool ValidFamily(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return IsAlphanumeric(c) || c == '_' || c == '-';
  });
}

// RFC 9110 token.
bool ValidHeader(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return IsAlphanumeric(c) || kMarks.find(c) != std::string_view::npos;
  });
}

bool ValidRoute(std::string_view text) { return text.starts_with('/') && text.size() <= 512; }

class ServiceNameType final : public ScalarType {
 public:
  std::string Describe() const override { return "a name"; }
  Json Schema() const override { return {{"type", "string"}}; }
  void Read(const YamlNode& node, const Reading& in) const override {
    if (!Set(node, in.draft)) return in.Expected(Describe(), node);
    in.origins["resource.attributes.service.name"] = in.origin;
  }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    if (scalar.text.empty()) return false;
    auto& attributes = draft.config.resource.attributes;
    std::erase_if(attributes, [](const auto& pair) { return pair.first == "service.name"; });
    attributes.emplace_back("service.name", scalar.text);
    return true;
  }
  YamlNode Get(Draft&) const override { return {}; }
};

}  // namespace

TextRule FileFormat() { return {"a version 1.x, such as \"1.0\"", ValidFormat, R"(^1\.[0-9]+)"}; }
TextRule FilePath() { return {"a path", NotEmpty, ""}; }
TextRule ListenAddress() {
  return {"HOST:PORT (an IPv6 host in brackets) or off", ValidListen, "^(off|.+:[0-9]+)$"};
}
TextRule FamilyName() { return {"the name of a probe family", ValidFamily, "^[A-Za-z0-9_-]+$"}; }
TextRule HeaderName() { return {"the name of a header", ValidHeader, ""}; }
TextRule BaggageKey() { return {"a key of baggage", ValidHeader, ""}; }
TextRule AttributeName() { return {"a name", NotEmpty, ""}; }
TextRule RoutePattern() { return {"a path that starts with /", ValidRoute, "^/"}; }
TypePtr ServiceName() { return std::make_shared<ServiceNameType>(); }

}  // namespace sonde::config
