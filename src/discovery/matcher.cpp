// SPDX-License-Identifier: Apache-2.0
#include "discovery/matcher.h"

#include <absl/status/status.h>
#include <fnmatch.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "discovery/pod_matcher.h"
#include "discovery/workload_matcher.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"

namespace sonde::discovery {
namespace {

constexpr int64_t kRegexMemoryBytes = 1 << 20;

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

class AllMatcher final : public Matcher {
 public:
  bool Matches(const ProcessFacts& /*facts*/) const override { return true; }
  uint32_t fields() const override { return 0; }
  static MadeMatcher Make(const Selector& selector) {
    if (!selector.pattern.empty()) return Refused(selector, "no value");
    return std::make_unique<AllMatcher>();
  }
};

class PidMatcher final : public Matcher {
 public:
  explicit PidMatcher(uint32_t pid) : pid_(pid) {}
  bool Matches(const ProcessFacts& facts) const override { return facts.pid == pid_; }
  uint32_t fields() const override { return 0; }
  static MadeMatcher Make(const Selector& selector) {
    const auto pid = ParseNumber<uint32_t>(selector.pattern);
    if (!pid) return Refused(selector, "a process number");
    return std::make_unique<PidMatcher>(*pid);
  }

 private:
  uint32_t pid_;
};

// '*' also matches '/'. A pattern without '/' is compared with the base name.
class ExeMatcher final : public Matcher {
 public:
  explicit ExeMatcher(std::string glob)
      : glob_(std::move(glob)), base_name_(glob_.find('/') == std::string::npos) {}
  bool Matches(const ProcessFacts& facts) const override {
    if (facts.exe.empty()) return false;
    const char* text = facts.exe.c_str();
    if (base_name_) text += facts.exe.rfind('/') + 1;  // npos + 1 == 0
    return fnmatch(glob_.c_str(), text, 0) == 0;
  }
  uint32_t fields() const override { return kFieldExe; }
  static MadeMatcher Make(const Selector& selector) {
    if (selector.pattern.empty()) return Refused(selector, "a pattern such as */nginx");
    return std::make_unique<ExeMatcher>(selector.pattern);
  }

 private:
  std::string glob_;
  bool base_name_;
};

// Found anywhere in the arguments, which are joined by single spaces. RE2 syntax.
class CmdlineMatcher final : public Matcher {
 public:
  CmdlineMatcher(const std::string& pattern, const re2::RE2::Options& options)
      : regex_(pattern, options) {}
  bool Matches(const ProcessFacts& facts) const override {
    std::string line;
    for (const std::string& arg : facts.args) {
      if (!line.empty()) line += ' ';
      line += arg;
    }
    return re2::RE2::PartialMatch(line, regex_);
  }
  uint32_t fields() const override { return kFieldArgs; }
  static MadeMatcher Make(const Selector& selector) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kRegexMemoryBytes);
    options.set_encoding(re2::RE2::Options::EncodingLatin1);  // arguments are bytes
    auto matcher = std::make_unique<CmdlineMatcher>(selector.pattern, options);
    if (!matcher->regex_.ok()) {
      return Refused(selector, "a regular expression; " + matcher->regex_.error());
    }
    return matcher;
  }

 private:
  re2::RE2 regex_;
};

// Init holds the sockets of services that it starts on demand; tracing it would make every process
// of the host inherit the flag. The service gets the socket at its exec and is chosen then.
class PortMatcher final : public Matcher {
 public:
  PortMatcher(uint16_t first, uint16_t last) : first_(first), last_(last) {}
  bool Matches(const ProcessFacts& facts) const override {
    constexpr uint32_t kInit = 1;
    return facts.pid != kInit && std::ranges::any_of(facts.listen_ports, [this](uint16_t port) {
             return port >= first_ && port <= last_;
           });
  }
  uint32_t fields() const override { return kFieldPorts; }
  static MadeMatcher Make(const Selector& selector) {
    const std::string_view text = selector.pattern;
    const size_t dash = text.find('-');
    const auto first = ParseNumber<uint16_t>(text.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : ParseNumber<uint16_t>(text.substr(dash + 1));
    if (!first || !last || *first > *last) return Refused(selector, "N or N-M, from 1 to 65535");
    return std::make_unique<PortMatcher>(*first, *last);
  }

 private:
  uint16_t first_;
  uint16_t last_;
};

// Any of the process's cgroup paths; '*' also matches '/'.
class CgroupMatcher final : public Matcher {
 public:
  explicit CgroupMatcher(std::string glob) : glob_(std::move(glob)) {}
  bool Matches(const ProcessFacts& facts) const override {
    return std::ranges::any_of(facts.cgroups, [this](const std::string& path) {
      return fnmatch(glob_.c_str(), path.c_str(), 0) == 0;
    });
  }
  uint32_t fields() const override { return kFieldCgroups; }
  static MadeMatcher Make(const Selector& selector) {
    if (selector.pattern.empty()) return Refused(selector, "a pattern such as /system.slice/*");
    return std::make_unique<CgroupMatcher>(selector.pattern);
  }

 private:
  std::string glob_;
};

// Environment as it was at the exec, or, if the process has written over it, as its container's.
// Without a value: set at all.
class EnvMatcher final : public Matcher {
 public:
  EnvMatcher(std::string name, std::optional<std::string> value)
      : name_(std::move(name)), value_(std::move(value)) {}
  bool Matches(const ProcessFacts& facts) const override {
    const std::string* value = facts.Env(name_);
    return value != nullptr && (!value_ || *value == *value_);
  }
  uint32_t fields() const override { return kFieldEnv | kFieldWorkload; }
  bool Undecided(const ProcessFacts& facts) const override {
    return facts.env_overwritten && facts.around.pending && facts.Env(name_) == nullptr;
  }
  std::string_view env_name() const override { return name_; }
  static MadeMatcher Make(const Selector& selector) {
    const size_t equals = selector.pattern.find('=');
    std::string name = selector.pattern.substr(0, equals);
    if (name.empty()) return Refused(selector, "NAME or NAME=VALUE");
    std::optional<std::string> value;
    if (equals != std::string::npos) value = selector.pattern.substr(equals + 1);
    return std::make_unique<EnvMatcher>(std::move(name), std::move(value));
  }

 private:
  std::string name_;
  std::optional<std::string> value_;
};

// A further kind of selector is a class above and a line here.
struct Kind {
  SelectorKind kind;
  std::string_view name;
  MadeMatcher (*make)(const Selector&);
};

constexpr std::array kKinds = {
    Kind{.kind = SelectorKind::kPid, .name = "pid", .make = PidMatcher::Make},
    Kind{.kind = SelectorKind::kExe, .name = "exe", .make = ExeMatcher::Make},
    Kind{.kind = SelectorKind::kCmdline, .name = "cmdline", .make = CmdlineMatcher::Make},
    Kind{.kind = SelectorKind::kPort, .name = "port", .make = PortMatcher::Make},
    Kind{.kind = SelectorKind::kCgroup, .name = "cgroup", .make = CgroupMatcher::Make},
    Kind{
        .kind = SelectorKind::kSystemdUnit, .name = "systemd-unit", .make = MakeSystemdUnitMatcher},
    Kind{.kind = SelectorKind::kEnv, .name = "env", .make = EnvMatcher::Make},
    Kind{.kind = SelectorKind::kContainer, .name = "container", .make = MakeContainerMatcher},
    Kind{.kind = SelectorKind::kContainerImage,
         .name = "container-image",
         .make = MakeContainerImageMatcher},
    Kind{.kind = SelectorKind::kContainerLabel,
         .name = "container-label",
         .make = MakeContainerLabelMatcher},
    Kind{
        .kind = SelectorKind::kK8sNamespace, .name = "k8s-namespace", .make = MakeNamespaceMatcher},
    Kind{.kind = SelectorKind::kK8sPod, .name = "k8s-pod", .make = MakePodMatcher},
    Kind{.kind = SelectorKind::kK8sPodLabel, .name = "k8s-pod-label", .make = MakePodLabelMatcher},
    Kind{.kind = SelectorKind::kK8sWorkload, .name = "k8s-workload", .make = MakeWorkloadMatcher},
    Kind{.kind = SelectorKind::kAll, .name = "all", .make = AllMatcher::Make},
};

}  // namespace

Status Refused(const Selector& selector, std::string_view expected) {
  std::string message = "--";
  message.append(KindName(selector.kind)).append(" '").append(selector.pattern);
  return absl::InvalidArgumentError(message.append("': expected ").append(expected));
}

std::string_view KindName(SelectorKind kind) {
  for (const Kind& known : kKinds) {
    if (known.kind == kind) return known.name;
  }
  return "unknown";
}

Result<std::unique_ptr<Matcher>> MakeMatcher(const Selector& selector) {
  for (const Kind& known : kKinds) {
    if (known.kind == selector.kind) return known.make(selector);
  }
  return absl::InvalidArgumentError("this kind of selector is not known");
}

}  // namespace sonde::discovery
