// SPDX-License-Identifier: Apache-2.0
// The keys of sonde.tail_sampling.
#include "config/tail_sampling_keys.h"

#include <chrono>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"
#include "config/telemetry_types.h"
#include "sonde/config/config.h"

namespace sonde::config {

void AddTailSamplingKeys(KeyTable& t) {
  t.push_back({"sonde.tail_sampling.policies",
               "",
               "",
               {},
               "Policies of the Collector's tail_sampling processor; none: no tail sampling.",
               TailPolicyList()});
  t.push_back({"sonde.tail_sampling.decision_wait",
               "",
               "",
               {},
               "How long the spans of a trace are collected, from the first one.",
               Duration([](Draft& d) -> auto& { return d.config.tail_sampling.decision_wait; },
                        Milliseconds(1), std::chrono::minutes(10))});
  t.push_back(
      {"sonde.tail_sampling.decision_wait_after_root_received",
       "",
       "",
       {},
       "How long they are collected after the span without a parent, if that is sooner. 0s: a root "
       "changes nothing.",
       Duration([](Draft& d) -> auto& { return d.config.tail_sampling.decision_wait_after_root; },
                Milliseconds(0), std::chrono::minutes(10))});
  t.push_back(
      {"sonde.tail_sampling.num_traces",
       "",
       "",
       {},
       "Traces that wait at once; beyond, the one whose decision is next is decided early.",
       Count([](Draft& d) -> auto& { return d.config.tail_sampling.num_traces; }, 1, 10'000'000)});
  t.push_back(
      {"sonde.tail_sampling.expected_new_traces_per_sec",
       "",
       "",
       {},
       "Room is made at the start for what so many bring until they are decided.",
       Count([](Draft& d) -> auto& { return d.config.tail_sampling.expected_traces_per_second; }, 0,
             1'000'000)});
  t.push_back(
      {"sonde.tail_sampling.sample_on_first_match",
       "",
       "",
       {},
       "Policies after the first one that samples are not asked.",
       Flag([](Draft& d) -> auto& { return d.config.tail_sampling.sample_on_first_match; })});
  t.push_back(
      {"sonde.tail_sampling.drop_pending_traces_on_shutdown",
       "",
       "",
       {},
       "Traces that wait when sonde stops are dropped and counted; else they are decided by what "
       "is there.",
       Flag([](Draft& d) -> auto& { return d.config.tail_sampling.drop_pending_on_shutdown; })});
  t.push_back(
      {"sonde.tail_sampling.max_spans",
       "",
       "",
       {},
       "Spans that wait at once, about 2.5 KiB each; beyond, the trace whose decision is next is "
       "decided early.",
       Count([](Draft& d) -> auto& { return d.config.tail_sampling.max_spans; }, 1, 10'000'000)});
  t.push_back({"sonde.tail_sampling.decision_cache.sampled_cache_size",
               "",
               "",
               {},
               "Decisions to keep that are remembered for late spans. 0: num_traces.",
               Count([](Draft& d) -> auto& { return d.config.tail_sampling.sampled_cache_size; }, 0,
                     10'000'000)});
  t.push_back(
      {"sonde.tail_sampling.decision_cache.non_sampled_cache_size",
       "",
       "",
       {},
       "The same for decisions to drop.",
       Count([](Draft& d) -> auto& { return d.config.tail_sampling.non_sampled_cache_size; }, 0,
             10'000'000)});
}

}  // namespace sonde::config
