// SPDX-License-Identifier: Apache-2.0
// Boundaries of a histogram of durations: "2ms", "0.5s", ascending. Stored in seconds.
#include <charconv>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"
#include "config/origin.h"
#include "config/telemetry_types.h"
#include "config/units.h"
#include "config/yaml_node.h"

namespace sonde::config {
namespace {

constexpr size_t kMaxBounds = 200;
constexpr double kMicroseconds = 1e6;
constexpr double kMilliseconds = 1e3;

std::optional<double> Seconds(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !(value > 0)) return std::nullopt;
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (unit == "s") return value;
  if (unit == "ms") return value / kMilliseconds;
  if (unit == "us") return value / kMicroseconds;
  return std::nullopt;
}

class BucketListType final : public ValueType {
 public:
  explicit BucketListType(Member<std::vector<double>> member) : member_(member) {}
  std::string Describe() const override { return "a list of times, ascending ([5ms, 50ms, 1s])"; }

  void Read(const YamlNode& node, const Reading& in) const override {
    if (!node.is_sequence() || node.items.size() > kMaxBounds) return in.Expected(Describe(), node);
    std::vector<double> bounds;
    for (const YamlNode& item : node.items) {
      const auto bound = item.is_scalar() ? Seconds(item.text) : std::nullopt;
      if (!bound) return in.Expected("a time with a unit (us, ms, s)", item);
      if (!bounds.empty() && *bound <= bounds.back()) {
        return in.Reject("boundaries must ascend; " + item.text + " does not");
      }
      bounds.push_back(*bound);
    }
    member_(in.draft) = bounds;
    in.Accept();
  }

  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override {
    YamlNode list = YamlNode::Sequence();
    for (const double bound : member_(draft)) {
      list.items.push_back(YamlNode::Scalar(FormatNumber(bound) + "s"));
    }
    list.comment = OriginOf(origins, key);
    return list;
  }

  Json Schema() const override {
    const Json item = {{"type", "string"}, {"pattern", R"(^[0-9.]+(us|ms|s)$|\$\{)"}};
    return {{"type", "array"}, {"items", item}};
  }

 private:
  Member<std::vector<double>> member_;
};

}  // namespace

TypePtr BucketList(Member<std::vector<double>> member) {
  return std::make_shared<BucketListType>(member);
}

}  // namespace sonde::config
