// SPDX-License-Identifier: Apache-2.0
#include "config/selectors.h"

#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"
#include "config/origin.h"
#include "config/units.h"
#include "config/yaml_node.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

constexpr uint64_t kMaxPid = 1U << 22;  // PID_MAX_LIMIT of 64-bit Linux

bool ValidPid(std::string_view text) {
  const auto pid = ParseUnsigned(text);
  return pid && *pid >= 1 && *pid <= kMaxPid;
}

// The same syntax and limits as src/discovery matches with.
bool ValidRegex(std::string_view text) {
  constexpr size_t kMaxLength = 1024;
  if (text.empty() || text.size() > kMaxLength) return false;
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  return re2::RE2(re2::StringPiece(text.data(), text.size()), options).ok();
}

bool ValidPort(std::string_view text) { return ParsePortRange(text).has_value(); }
bool ValidText(std::string_view text) { return !text.empty(); }
bool ValidWorkload(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < text.size();
}
bool ValidEnv(std::string_view text) { return !text.empty() && text[0] != '='; }

TextRule RuleFor(SelectorKind kind) {
  switch (kind) {
    case SelectorKind::kPid:
      return {"a process id from 1 to 4194304", ValidPid, "^[0-9]+$"};
    case SelectorKind::kCmdline:
      return {"a regular expression (RE2 syntax)", ValidRegex, ""};
    case SelectorKind::kPort:
      return {"a port or a range N-M from 1 to 65535", ValidPort, "^[0-9]+(-[0-9]+)?$"};
    case SelectorKind::kEnv:
    case SelectorKind::kContainerLabel:
    case SelectorKind::kK8sPodLabel:
      return {"K or K=V", ValidEnv, ""};
    case SelectorKind::kK8sWorkload:
      return {"KIND/NAME such as deployment/shop", ValidWorkload, "^[^/]+/.+$"};
    case SelectorKind::kExe:
    case SelectorKind::kCgroup:
    case SelectorKind::kSystemdUnit:
    case SelectorKind::kContainer:
    case SelectorKind::kContainerImage:
    case SelectorKind::kK8sNamespace:
    case SelectorKind::kK8sPod:
    case SelectorKind::kAll:
      break;
  }
  return {"a pattern", ValidText, ""};
}

class SelectorListType final : public ValueType {
 public:
  SelectorListType(SelectorKind kind, Member<std::vector<Selector>> list, bool adds)
      : kind_(kind), list_(list), adds_(adds), rule_(RuleFor(kind)) {}
  bool repeats() const override { return true; }
  std::string Describe() const override { return rule_.what + ", or a list of such"; }

  void Read(const YamlNode& node, const Reading& in) const override {
    std::vector<Selector> read;
    const std::vector<YamlNode> one{node};
    for (const YamlNode& item : node.is_sequence() ? node.items : one) {
      if (!item.is_scalar() || !rule_.valid(item.text)) return in.Expected(rule_.what, item);
      read.push_back({kind_, item.text});
    }
    auto& list = list_(in.draft);
    if (!adds_) std::erase_if(list, [this](const Selector& s) { return s.kind == kind_; });
    list.insert(list.end(), read.begin(), read.end());
    in.Accept();
  }

  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override {
    YamlNode list = YamlNode::Sequence();
    for (const Selector& selector : list_(draft)) {
      const bool number = kind_ == SelectorKind::kPid || kind_ == SelectorKind::kPort;
      if (selector.kind == kind_) list.items.push_back(YamlNode::Scalar(selector.pattern, !number));
    }
    list.comment = OriginOf(origins, key);
    return list;
  }

  Json Schema() const override {
    Json text = {{"type", "string"}};
    if (!rule_.pattern.empty()) text["pattern"] = rule_.pattern + "|\\$\\{";
    Json any = Json::array({text});
    const bool numeric = kind_ == SelectorKind::kPid || kind_ == SelectorKind::kPort;
    if (numeric) any.push_back({{"type", "integer"}, {"minimum", 1}});
    const Json list = {{"type", "array"}, {"items", {{"anyOf", any}}}};
    any.push_back(list);
    return {{"anyOf", any}};
  }

  Result<YamlNode> FromText(const std::vector<std::string>& values, Layer) const override {
    YamlNode list = YamlNode::Sequence();
    for (const std::string& value : values) list.items.push_back(YamlNode::Scalar(value, true));
    return list;
  }

 private:
  SelectorKind kind_;
  Member<std::vector<Selector>> list_;
  bool adds_;  // layers add up
  TextRule rule_;
};

// `include.all`: on or off.
class SelectAllType final : public ScalarType {
 public:
  explicit SelectAllType(Member<std::vector<Selector>> list) : list_(list) {}
  std::string Describe() const override { return "true or false"; }
  Json Schema() const override { return {{"type", "boolean"}}; }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    if (scalar.quoted || (scalar.text != "true" && scalar.text != "false")) return false;
    auto& list = list_(draft);
    std::erase_if(list, IsAll);
    if (scalar.text == "true") list.push_back({SelectorKind::kAll, ""});
    return true;
  }
  YamlNode Get(Draft& draft) const override {
    const auto& list = list_(draft);
    return YamlNode::Scalar(std::ranges::any_of(list, IsAll) ? "true" : "false");
  }

 private:
  static bool IsAll(const Selector& selector) { return selector.kind == SelectorKind::kAll; }

  Member<std::vector<Selector>> list_;
};

}  // namespace

const std::vector<SelectorName>& SelectorNames() {
  static const std::vector<SelectorName> names{
      {SelectorKind::kPid, "pid", "PID", "Process with this id, and its descendants."},
      {SelectorKind::kExe, "exe", "GLOB", "Path of the executable, as /proc/PID/exe shows it."},
      {SelectorKind::kCmdline, "cmdline", "REGEX",
       "Found anywhere in the command line, arguments joined by spaces."},
      {SelectorKind::kPort, "port", "N|N-M",
       "Listening port; connections on other ports are not traced."},
      {SelectorKind::kCgroup, "cgroup", "GLOB", "Path of the control group."},
      {SelectorKind::kSystemdUnit, "systemd-unit", "GLOB", "systemd unit; nginx is nginx.service."},
      {SelectorKind::kEnv, "env", "K[=V]", "Variable in the environment of the process."},
      {SelectorKind::kContainer, "container", "GLOB",
       "Name of the container, or its id, whole or short."},
      {SelectorKind::kContainerImage, "container-image", "GLOB",
       "Image of the container, with or without tag; without / what follows the last /."},
      {SelectorKind::kContainerLabel, "container-label", "K[=V]", "Label of the container."},
      {SelectorKind::kK8sNamespace, "k8s-namespace", "GLOB", "Namespace of the pod."},
      {SelectorKind::kK8sPod, "k8s-pod", "GLOB", "Name of the pod."},
      {SelectorKind::kK8sPodLabel, "k8s-pod-label", "K[=V]", "Label of the pod."},
      {SelectorKind::kK8sWorkload, "k8s-workload", "KIND/NAME",
       "Owner of the pod, such as deployment/shop or cronjob/report-*."},
      {SelectorKind::kAll, "all", "", "Every process of the host."},
  };
  return names;
}

std::optional<PortRange> ParsePortRange(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = ParseUnsigned(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : ParseUnsigned(text.substr(dash + 1));
  if (!first || !last || *first == 0 || *last > UINT16_MAX || *first > *last) return std::nullopt;
  return PortRange{static_cast<uint16_t>(*first), static_cast<uint16_t>(*last)};
}

TypePtr SelectorList(SelectorKind kind, bool exclude) {
  const auto include = [](Draft& d) -> auto& { return d.config.discovery.include; };
  if (kind == SelectorKind::kAll) return std::make_shared<SelectAllType>(include);
  if (!exclude) return std::make_shared<SelectorListType>(kind, include, false);
  return std::make_shared<SelectorListType>(
      kind, [](Draft& d) -> auto& { return d.config.discovery.exclude; }, true);
}

TypePtr RuleSelectorList(SelectorKind kind) {
  const auto selectors = [](Draft& d) -> auto& { return d.rule.selectors; };
  if (kind == SelectorKind::kAll) return std::make_shared<SelectAllType>(selectors);
  return std::make_shared<SelectorListType>(kind, selectors, false);
}

}  // namespace sonde::config
