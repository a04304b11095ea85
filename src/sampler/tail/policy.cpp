// SPDX-License-Identifier: Apache-2.0
#include "sampler/tail/policy.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sampler/tail/attribute_policy.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {
namespace {

constexpr uint64_t kNanosecondsPerMillisecond = 1'000'000;

Vote Plain(bool sampled) { return sampled ? Vote::kSampled : Vote::kNotSampled; }

bool Samples(Vote vote) { return vote == Vote::kSampled || vote == Vote::kInvertSampled; }

class AlwaysSample final : public Policy {
 public:
  Vote Ask(const TraceView&) override { return Vote::kSampled; }
};

// From the earliest start to the latest end, whatever happened between.
class Latency final : public Policy {
 public:
  Latency(int64_t above_ms, int64_t upto_ms) : above_ms_(above_ms), upto_ms_(upto_ms) {}
  Vote Ask(const TraceView& trace) override {
    uint64_t start = std::numeric_limits<uint64_t>::max();
    uint64_t end = 0;
    for (const Span& span : trace.spans) {
      start = std::min(start, span.start_wall_ns);
      end = std::max(end, span.end_wall_ns);
    }
    const auto ms =
        static_cast<int64_t>(end > start ? (end - start) / kNanosecondsPerMillisecond : 0);
    return Plain(upto_ms_ == 0 ? ms >= above_ms_ : ms > above_ms_ && ms <= upto_ms_);
  }

 private:
  int64_t above_ms_;
  int64_t upto_ms_;
};

class Probabilistic final : public Policy {
 public:
  Probabilistic(double percentage, std::string salt)
      : salt_(salt.empty() ? "default-hash-seed" : std::move(salt)) {
    constexpr double kEnd = 18446744073709551616.0;  // 2^64
    constexpr double kPercent = 100;
    const double share = std::min(1.0, percentage / kPercent) * kEnd;
    threshold_ =
        share >= kEnd ? std::numeric_limits<uint64_t>::max() : static_cast<uint64_t>(share);
  }
  Vote Ask(const TraceView& trace) override {
    if (trace.spans.empty()) return Vote::kNotSampled;
    uint64_t hash = kOffset;
    Mix(salt_, hash);
    Mix(trace.spans.front().trace_id.view(), hash);
    return Plain(hash <= threshold_);
  }

 private:
  // FNV-1a, 64 bits.
  static constexpr uint64_t kOffset = 0xcbf29ce484222325;
  static constexpr uint64_t kPrime = 0x100000001b3;
  static void Mix(std::string_view bytes, uint64_t& hash) {
    for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * kPrime;
  }

  std::string salt_;
  uint64_t threshold_ = 0;
};

class StatusCode final : public Policy {
 public:
  explicit StatusCode(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      codes_.push_back(name == "ERROR" ? SpanStatus::kError
                       : name == "OK"  ? SpanStatus::kOk
                                       : SpanStatus::kUnset);
    }
  }
  Vote Ask(const TraceView& trace) override {
    return Plain(std::ranges::any_of(trace.spans, [&](const Span& span) {
      return std::ranges::find(codes_, span.status) != codes_.end();
    }));
  }

 private:
  std::vector<SpanStatus> codes_;
};

class SpanCount final : public Policy {
 public:
  SpanCount(int64_t min, int64_t max) : min_(min), max_(max) {}
  Vote Ask(const TraceView& trace) override {
    const auto count = static_cast<int64_t>(trace.spans.size());
    return Plain(count >= min_ && (max_ == 0 || count <= max_));
  }

 private:
  int64_t min_;
  int64_t max_;
};

// Spans of each second; a trace that does not fit any more is not sampled, a smaller one may be.
class RateLimiting final : public Policy {
 public:
  explicit RateLimiting(int64_t per_second) : per_second_(per_second) {}
  Vote Ask(const TraceView& trace) override {
    if (trace.second != second_) {
      second_ = trace.second;
      spans_ = 0;
    }
    const int64_t with = spans_ + static_cast<int64_t>(trace.spans.size());
    if (with >= per_second_) return Vote::kNotSampled;  // the Collector's limit is exclusive
    spans_ = with;
    return Vote::kSampled;
  }

 private:
  int64_t per_second_;
  int64_t spans_ = 0;
  uint64_t second_ = 0;
};

using Policies = std::vector<std::unique_ptr<Policy>>;

// Every one must sample.
class And final : public Policy {
 public:
  explicit And(Policies sub) : sub_(std::move(sub)) {}
  Vote Ask(const TraceView& trace) override {
    for (const auto& policy : sub_) {
      const Vote vote = policy->Ask(trace);
      if (!Samples(vote)) return vote;
    }
    return Vote::kSampled;
  }

 private:
  Policies sub_;
};

// The first that wants the trace decides, within its share of the rate.
class Composite final : public Policy {
 public:
  Composite(Policies sub, const TailPolicy& options) : max_(options.spans_per_second) {
    constexpr double kPercent = 100;
    const auto total = static_cast<double>(max_);
    for (size_t i = 0; i < sub.size(); ++i) {
      const int64_t percent = i < options.percents.size() ? options.percents[i] : 0;
      const double share = percent > 0 ? static_cast<double>(percent) / kPercent * total
                                       : total / static_cast<double>(sub.size());
      parts_.push_back({std::move(sub[i]), static_cast<int64_t>(share), 0});
    }
  }
  Vote Ask(const TraceView& trace) override {
    if (trace.second != second_) {
      second_ = trace.second;
      for (Part& part : parts_) part.spans = 0;
    }
    for (Part& part : parts_) {
      if (!Samples(part.policy->Ask(trace))) continue;
      const int64_t with = part.spans + static_cast<int64_t>(trace.spans.size());
      if (with > part.share || with > max_) return Vote::kNotSampled;
      part.spans = with;
      return Vote::kSampled;
    }
    return Vote::kNotSampled;
  }

 private:
  struct Part {
    std::unique_ptr<Policy> policy;
    int64_t share = 0;
    int64_t spans = 0;  // sampled this second
  };
  std::vector<Part> parts_;
  int64_t max_;
  uint64_t second_ = 0;
};

Result<std::unique_ptr<Policy>> MakeOfMany(const TailPolicy& options) {
  if (options.sub.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy ", options.name, " has no sub-policies"));
  }
  Policies sub;
  for (const TailPolicy& each : options.sub) {
    auto made = MakePolicy(each);
    if (!made.ok()) return made.status();
    sub.push_back(*std::move(made));
  }
  if (options.type == TailPolicyType::kAnd) return std::make_unique<And>(std::move(sub));
  return std::make_unique<Composite>(std::move(sub), options);
}

}  // namespace

Result<std::unique_ptr<Policy>> MakePolicy(const TailPolicy& options) {
  switch (options.type) {
    case TailPolicyType::kAlwaysSample:
      return std::make_unique<AlwaysSample>();
    case TailPolicyType::kLatency:
      return std::make_unique<Latency>(options.min, options.max);
    case TailPolicyType::kProbabilistic:
      return std::make_unique<Probabilistic>(options.sampling_percentage, options.hash_salt);
    case TailPolicyType::kStatusCode:
      return std::make_unique<StatusCode>(options.status_codes);
    case TailPolicyType::kSpanCount:
      return std::make_unique<SpanCount>(options.min, options.max);
    case TailPolicyType::kRateLimiting:
      return std::make_unique<RateLimiting>(options.spans_per_second);
    case TailPolicyType::kStringAttribute:
    case TailPolicyType::kNumericAttribute:
    case TailPolicyType::kBooleanAttribute:
      return MakeAttributePolicy(options);
    case TailPolicyType::kAnd:
    case TailPolicyType::kComposite:
      break;
  }
  return MakeOfMany(options);
}

bool Decide(const std::vector<Vote>& votes) {
  const auto has = [&](Vote vote) { return std::ranges::find(votes, vote) != votes.end(); };
  if (has(Vote::kInvertNotSampled)) return false;
  if (has(Vote::kSampled)) return true;
  return has(Vote::kInvertSampled) && !has(Vote::kNotSampled);
}

}  // namespace sonde::sampler
