// SPDX-License-Identifier: Apache-2.0
#include "sampler/rules.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "sampler/choice.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {
namespace {

constexpr std::array<std::pair<std::string_view, SpanKind>, 5> kKinds{
    {{"internal", SpanKind::kInternal},
     {"server", SpanKind::kServer},
     {"client", SpanKind::kClient},
     {"producer", SpanKind::kProducer},
     {"consumer", SpanKind::kConsumer}}};

// One expression for all patterns, so that a long list costs one walk.
std::shared_ptr<const re2::RE2> Compile(const std::vector<std::string>& patterns) {
  if (patterns.empty()) return nullptr;
  std::string expression;
  for (const std::string& pattern : patterns) {
    if (!expression.empty()) expression += '|';
    for (const char c : pattern) {
      if (c == '*') {
        expression += ".*";
      } else if (c == '?') {
        expression += '.';
      } else {
        expression += re2::RE2::QuoteMeta(std::string(1, c));
      }
    }
  }
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_dot_nl(true);
  options.set_encoding(re2::RE2::Options::EncodingLatin1);  // values are bytes
  return std::make_shared<const re2::RE2>(expression, options);
}

std::string TextOf(const AttributeValue& value) {
  return std::visit(
      [](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return held;
        } else if constexpr (std::is_same_v<T, bool>) {
          return std::string(held ? "true" : "false");
        } else if constexpr (std::is_arithmetic_v<T>) {
          return absl::StrCat(held);
        } else {
          return std::string();  // a list is no single value
        }
      },
      value);
}

}  // namespace

Result<Rules> Rules::Create(const std::vector<SamplingRule>& options) {
  Rules rules;
  for (const SamplingRule& wanted : options) {
    Rule rule{.key = wanted.key,
              .values = wanted.values,
              .included = Compile(wanted.included),
              .excluded = Compile(wanted.excluded),
              .kinds = {},
              .choice = {}};
    for (const auto& pattern : {rule.included, rule.excluded}) {
      if (pattern != nullptr && !pattern->ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("sampler: the patterns of ", wanted.key, " are too long"));
      }
    }
    for (const std::string& name : wanted.span_kinds) {
      const auto* kind = std::ranges::find(kKinds, name, &decltype(kKinds)::value_type::first);
      if (kind == kKinds.end()) {
        return absl::InvalidArgumentError(absl::StrCat("sampler: \"", name, "\" is no span kind"));
      }
      rule.kinds.push_back(kind->second);
    }
    auto choice = Choice::Create(wanted.sampler);
    if (!choice.ok()) return choice.status();
    rule.choice = *choice;
    rules.rules_.push_back(std::move(rule));
  }
  return rules;
}

bool Rules::Fits(const Rule& rule, const Span& span) {
  if (!rule.kinds.empty() && std::ranges::find(rule.kinds, span.kind) == rule.kinds.end()) {
    return false;
  }
  if (rule.key.empty()) return true;
  const AttributeValue* value = FindAttribute(span.attributes, rule.key);
  if (value == nullptr && span.resource != nullptr) {
    value = FindAttribute(span.resource->attributes, rule.key);
  }
  if (value == nullptr) return false;
  const auto* held = std::get_if<std::string>(value);
  const std::string other = held == nullptr ? TextOf(*value) : std::string();
  const std::string& text = held == nullptr ? other : *held;
  if (!rule.values.empty()) return std::ranges::find(rule.values, text) != rule.values.end();
  if (rule.excluded != nullptr && re2::RE2::FullMatch(text, *rule.excluded)) return false;
  return rule.included == nullptr || re2::RE2::FullMatch(text, *rule.included);
}

Choice* Rules::Find(const Span& span) {
  const auto found =
      std::ranges::find_if(rules_, [&](const Rule& rule) { return Fits(rule, span); });
  return found == rules_.end() ? nullptr : &found->choice;
}

}  // namespace sonde::sampler
