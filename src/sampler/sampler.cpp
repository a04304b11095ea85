// SPDX-License-Identifier: Apache-2.0
#include "sampler/sampler.h"

#include <absl/container/flat_hash_map.h>
#include <absl/memory/memory.h>
#include <absl/status/status.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "sampler/choice.h"
#include "sampler/rules.h"
#include "sampler/trace_state.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {
namespace {

constexpr uint8_t kSampledFlag = 1;
constexpr char kRuleBased[] = "rule_based";

}  // namespace

Result<std::unique_ptr<Sampler>> Sampler::Create(const SamplerOptions& options, SpanSink& next,
                                                 MetricRegistry& metrics) {
  Counter& dropped = metrics.AddCounter("sonde_spans_dropped_total",
                                        "Spans that were begun and not exported, by reason.",
                                        {{"reason", "sampled_out"}});
  auto sampler = absl::WrapUnique(new Sampler(next, dropped));
  if (Status status = sampler->Configure(options); !status.ok()) return status;
  return sampler;
}

Status Sampler::Configure(const SamplerOptions& options, const std::vector<DiscoveryRule>& rules) {
  auto choices = MakeChoices(options);
  if (!choices.ok()) return choices.status();
  absl::flat_hash_map<std::shared_ptr<const RuleSettings>, Choices> of_rules;
  for (const DiscoveryRule& rule : rules) {
    const std::optional<SamplerOptions>& sampler = rule.settings->sampler;
    if (!sampler) continue;
    auto own = MakeChoices(*sampler);
    if (!own.ok()) return own.status();
    of_rules.emplace(rule.settings, *std::move(own));
  }
  choices_ = *std::move(choices);
  of_rules_ = std::move(of_rules);
  return absl::OkStatus();
}

Result<Sampler::Choices> Sampler::MakeChoices(const SamplerOptions& options) {
  Choices choices;
  choices.parent_based = options.parent_based;
  const std::array<std::pair<const SamplerChoice*, Choice*>, 5> all{
      {{&options.root, &choices.root},
       {&options.remote_parent_sampled, &choices.remote_sampled},
       {&options.remote_parent_not_sampled, &choices.remote_not_sampled},
       {&options.local_parent_sampled, &choices.local_sampled},
       {&options.local_parent_not_sampled, &choices.local_not_sampled}}};
  choices.by_rules = options.root.kind == kRuleBased;
  if (choices.by_rules) {
    auto rules = Rules::Create(options.rules);
    if (!rules.ok()) return rules.status();
    choices.rules = *std::move(rules);
  }
  for (const auto& [wanted, made] : all) {
    if (choices.by_rules && made == &choices.root) continue;
    auto choice = Choice::Create(*wanted);
    if (!choice.ok()) return choice.status();
    *made = *choice;
  }
  // Asked about each span, where a count of traces would mean nothing.
  if (!choices.local_sampled.by_trace_id() || !choices.local_not_sampled.by_trace_id()) {
    return absl::InvalidArgumentError("local_parent_* cannot be rate_limiting");
  }
  return choices;
}

// `remembered`: the same answer for every span of the trace.
bool Sampler::Ask(Choice& choice, Span& span, bool remembered) {
  bool keep = false;
  if (choice.by_trace_id() || !remembered) {
    keep = choice.Keep(span, span.end_mono_ns);
  } else if (const auto before = decided_.Find(span.trace_id)) {
    keep = *before;
  } else {
    keep = choice.Keep(span, span.end_mono_ns);
    decided_.Add(span.trace_id, keep);
  }
  if (keep && choice.is_ratio()) {
    span.tracestate = WithThreshold(span.tracestate, choice.threshold());
  }
  return keep;
}

Sampler::Choices& Sampler::ChoicesOf(const Span& span) {
  if (span.root_rule == nullptr || of_rules_.empty()) return choices_;
  const auto found = of_rules_.find(span.root_rule);
  return found == of_rules_.end() ? choices_ : found->second;
}

// The root of a local tree comes before what is below it, so that rules see the request that came
// in; what came before its root, released early, decides for all.
bool Sampler::AskRoot(Choices& choices, Span& span) {
  if (!choices.by_rules) return Ask(choices.root, span, true);
  auto decision = ruled_.Find(span.trace_id);
  if (!decision) {
    Choice* choice = choices.rules.Find(span);
    decision.emplace();
    decision->keep = choice != nullptr && choice->Keep(span, span.end_mono_ns);
    if (decision->keep && choice->is_ratio()) decision->threshold = choice->threshold();
    ruled_.Add(span.trace_id, *decision);
  }
  if (decision->threshold) {
    span.tracestate = WithThreshold(span.tracestate, *decision->threshold);
  }
  return decision->keep;
}

bool Sampler::KeepTrace(Choices& choices, Span& span) {
  if (!choices.parent_based || !span.trace_from_header) return AskRoot(choices, span);
  const bool sampled = (span.trace_flags & kSampledFlag) != 0;
  return Ask(sampled ? choices.remote_sampled : choices.remote_not_sampled, span, true);
}

bool Sampler::Keep(Span& span) {
  Choices& choices = ChoicesOf(span);
  const bool keep = KeepTrace(choices, span);
  const bool below = span.parent_span_id.valid() && !span.parent_is_remote;
  if (!choices.parent_based || !below) return keep;
  return Ask(keep ? choices.local_sampled : choices.local_not_sampled, span, false);
}

void Sampler::OnSpan(Span&& span) {
  if (!Keep(span)) {
    dropped_.Add();
    return;
  }
  next_.OnSpan(std::move(span));
}

}  // namespace sonde::sampler
