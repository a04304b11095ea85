// SPDX-License-Identifier: Apache-2.0
// Head sampling after OpenTelemetry's samplers: always_on, always_off, trace_id_ratio_based,
// rate_limiting, rule_based, each optionally under parent_based. All spans of a trace share one
// fate; hosts with the same ratio decide alike. Drain thread.
//
//   parent_based    asks                                       about
//   root            no parent, or one that left it open        the trace
//   remote_parent_* the flag of the header that came in        the trace
//   local_parent_*  what was decided about the trace           spans below another one of this host
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "sampler/choice.h"
#include "sampler/decision_cache.h"
#include "sampler/rules.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {

class Sampler final : public SpanSink {
 public:
  // Decisions remembered for samplers that count.
  static constexpr size_t kRemembered = 50'000;

  // Refuses an unknown sampler name and numbers out of range. `next` and `metrics` outlive it.
  static Result<std::unique_ptr<Sampler>> Create(const SamplerOptions& options, SpanSink& next,
                                                 MetricRegistry& metrics);

  // A reload. On an error nothing changes. Rules with a sampler of their own decide about the
  // traces that began in their processes.
  Status Configure(const SamplerOptions& options, const std::vector<DiscoveryRule>& rules = {});

  void OnSpan(Span&& span) override;

 private:
  struct Choices {
    bool parent_based = false;
    bool by_rules = false;  // in place of root
    Choice root;
    Rules rules;
    Choice remote_sampled;
    Choice remote_not_sampled;
    Choice local_sampled;
    Choice local_not_sampled;
  };
  Sampler(SpanSink& next, Counter& dropped) : next_(next), dropped_(dropped) {}

  static Result<Choices> MakeChoices(const SamplerOptions& options);
  Choices& ChoicesOf(const Span& span);
  bool Keep(Span& span);
  bool KeepTrace(Choices& choices, Span& span);
  bool AskRoot(Choices& choices, Span& span);
  bool Ask(Choice& choice, Span& span, bool remembered);

  struct Ruled {
    bool keep = false;
    std::optional<uint64_t> threshold;  // of the ratio that kept it
  };

  Choices choices_;
  // The settings are held, so that no others get their address.
  absl::flat_hash_map<std::shared_ptr<const RuleSettings>, Choices> of_rules_;
  DecisionCache<bool> decided_{kRemembered};
  DecisionCache<Ruled> ruled_{kRemembered};
  SpanSink& next_;
  Counter& dropped_;
};

}  // namespace sonde::sampler
