// SPDX-License-Identifier: Apache-2.0
#include "sampler/tail/attribute_policy.h"

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sampler/tail/policy.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {
namespace {

// The value as `T`; of another type it counts as its zero, as the Collector has it.
template <typename T>
T As(const AttributeValue& value) {
  const T* held = std::get_if<T>(&value);
  return held == nullptr ? T{} : *held;
}

// Which values match.
class Matcher {
 public:
  virtual ~Matcher() = default;
  virtual bool Matches(const AttributeValue& value) const = 0;
};

class ExactText final : public Matcher {
 public:
  explicit ExactText(const std::vector<std::string>& values)
      : values_(values.begin(), values.end()) {
    values_.erase("");
  }
  bool Matches(const AttributeValue& value) const override {
    const auto* text = std::get_if<std::string>(&value);
    return text != nullptr && values_.contains(*text);
  }

 private:
  absl::flat_hash_set<std::string> values_;
};

class Pattern final : public Matcher {
 public:
  explicit Pattern(std::vector<std::unique_ptr<re2::RE2>> patterns)
      : patterns_(std::move(patterns)) {}
  bool Matches(const AttributeValue& value) const override {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr || text->empty()) return false;
    return std::ranges::any_of(
        patterns_, [&](const auto& pattern) { return re2::RE2::PartialMatch(*text, *pattern); });
  }

 private:
  std::vector<std::unique_ptr<re2::RE2>> patterns_;
};

class Range final : public Matcher {
 public:
  Range(int64_t min, int64_t max) : min_(min), max_(max) {}
  bool Matches(const AttributeValue& value) const override {
    const auto number = As<int64_t>(value);
    return number >= min_ && number <= max_;
  }

 private:
  int64_t min_;
  int64_t max_;
};

class Truth final : public Matcher {
 public:
  explicit Truth(bool wanted) : wanted_(wanted) {}
  bool Matches(const AttributeValue& value) const override { return As<bool>(value) == wanted_; }

 private:
  bool wanted_;
};

class AttributePolicy final : public Policy {
 public:
  AttributePolicy(std::string key, bool invert, std::unique_ptr<Matcher> matcher)
      : key_(std::move(key)), invert_(invert), matcher_(std::move(matcher)) {}

  Vote Ask(const TraceView& trace) override {
    const Resource* last = nullptr;
    for (const Span& span : trace.spans) {
      bool found = In(span.attributes);
      if (!found && span.resource != nullptr && span.resource.get() != last) {
        last = span.resource.get();
        found = In(last->attributes);
      }
      if (found) return invert_ ? Vote::kInvertNotSampled : Vote::kSampled;
    }
    return invert_ ? Vote::kInvertSampled : Vote::kNotSampled;
  }

 private:
  bool In(const Attributes& attributes) const {
    const AttributeValue* value = FindAttribute(attributes, key_);
    return value != nullptr && matcher_->Matches(*value);
  }

  std::string key_;
  bool invert_;
  std::unique_ptr<Matcher> matcher_;
};

Result<std::unique_ptr<Matcher>> MakeText(const TailPolicy& options) {
  if (!options.enabled_regex_matching) return std::make_unique<ExactText>(options.values);
  std::vector<std::unique_ptr<re2::RE2>> patterns;
  for (const std::string& value : options.values) {
    auto pattern = std::make_unique<re2::RE2>(value, re2::RE2::Quiet);
    if (!pattern->ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("policy ", options.name, ": \"", value,
                       "\" is no regular expression (RE2): ", pattern->error()));
    }
    patterns.push_back(std::move(pattern));
  }
  return std::make_unique<Pattern>(std::move(patterns));
}

}  // namespace

Result<std::unique_ptr<Policy>> MakeAttributePolicy(const TailPolicy& options) {
  std::unique_ptr<Matcher> matcher;
  if (options.type == TailPolicyType::kNumericAttribute) {
    matcher = std::make_unique<Range>(options.min, options.max);
  } else if (options.type == TailPolicyType::kBooleanAttribute) {
    matcher = std::make_unique<Truth>(options.value);
  } else {
    auto made = MakeText(options);
    if (!made.ok()) return made.status();
    matcher = *std::move(made);
  }
  return std::make_unique<AttributePolicy>(options.key, options.invert_match, std::move(matcher));
}

}  // namespace sonde::sampler
