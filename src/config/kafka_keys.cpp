// SPDX-License-Identifier: Apache-2.0
#include "config/kafka_keys.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"
#include "config/origin.h"
#include "config/text.h"
#include "config/units.h"
#include "config/yaml_node.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

// A colon is the port's, unless the host is IPv6 in brackets.
bool ValidBroker(std::string_view text) {
  constexpr std::string_view kMarks = "-._";
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos || end == 1) return false;
    text.remove_prefix(end + 1);
    if (text.empty()) return true;
  } else {
    const size_t colon = std::min(text.find(':'), text.size());
    const bool host = colon > 0 && std::ranges::all_of(text.substr(0, colon), [&](char c) {
                        return IsAlphanumeric(c) || kMarks.find(c) != std::string_view::npos;
                      });
    if (!host || colon == text.size()) return host;
    text.remove_prefix(colon);
  }
  const auto port = text.starts_with(':') ? ParseUnsigned(text.substr(1)) : std::nullopt;
  return port && *port > 0 && *port <= UINT16_MAX;
}

bool ValidTopic(std::string_view text) {
  constexpr size_t kMaxTopic = 249;
  constexpr std::string_view kMarks = "._-";
  return !text.empty() && text.size() <= kMaxTopic && text != "." && text != ".." &&
         std::ranges::all_of(text, [&](char c) {
           return IsAlphanumeric(c) || kMarks.find(c) != std::string_view::npos;
         });
}

TextRule Broker() { return {"HOST or HOST:PORT", ValidBroker, ""}; }
TextRule Topic() {
  return {"the name of a topic (letters, digits, . _ -)", ValidTopic, "^[A-Za-z0-9._-]{1,249}$"};
}

// A map of names and values. What librdkafka does not take it says when sonde starts.
class PropertiesType final : public ValueType {
 public:
  std::string Describe() const override { return "a map of librdkafka's properties"; }

  void Read(const YamlNode& node, const Reading& in) const override {
    if (!node.is_map()) return in.Expected(Describe(), node);
    auto& properties = in.draft.exporter.options.kafka.properties;
    properties.clear();
    for (const auto& [name, line, value] : node.entries) {
      if (!value.is_scalar()) return in.Expected("the value of " + name + " to be text", value);
      properties.emplace_back(name, value.text);
      in.Accept(name);
    }
  }

  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override {
    YamlNode map = YamlNode::Map();
    for (const auto& [name, value] : draft.exporter.options.kafka.properties) {
      map.Add(name, YamlNode::Scalar("*****", true)).comment = OriginOf(origins, key + "." + name);
    }
    return map;
  }

  Json Schema() const override {
    const Json value = {{"type", Json::array({"string", "number", "boolean"})}};
    return {{"type", "object"}, {"additionalProperties", value}};
  }
};

}  // namespace

const KeyTable& KafkaKeys() {
  static const KeyTable table{
      {"brokers",
       "",
       "",
       {},
       "Some of the cluster's brokers, by which the others are found.",
       TextList([](Draft& d) -> auto& { return d.exporter.options.kafka.brokers; }, {Broker()})},
      {"topic",
       "",
       "",
       {},
       "Where each batch becomes a message, an ExportTraceServiceRequest in protobuf.",
       Text([](Draft& d) -> auto& { return d.exporter.options.kafka.topic; }, Topic())},
      {"properties",
       "",
       "",
       {},
       "Properties of librdkafka, such as security.protocol, sasl.password, ssl.ca.location or "
       "compression.type.",
       std::make_shared<PropertiesType>()}};
  return table;
}

bool ParseKafkaTarget(std::string_view text, KafkaOptions& options) {
  const size_t slash = text.find('/');
  const bool has_topic = slash != std::string_view::npos;
  const std::string topic(has_topic ? text.substr(slash + 1) : "");
  std::vector<std::string> brokers = SplitTrimmed(text.substr(0, slash), ',');
  if (brokers.empty() || !std::ranges::all_of(brokers, ValidBroker)) return false;
  if (has_topic && !ValidTopic(topic)) return false;
  options.brokers = std::move(brokers);
  if (has_topic) options.topic = topic;
  return true;
}

}  // namespace sonde::config
