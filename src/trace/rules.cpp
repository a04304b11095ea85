// SPDX-License-Identifier: Apache-2.0
#include "trace/rules.h"

#include <memory>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "trace/answer_rule.h"
#include "trace/async_id_rule.h"
#include "trace/guess_rule.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"
#include "trace/request_id_rule.h"
#include "trace/same_thread_rule.h"
#include "trace/socket_rule.h"
#include "trace/unpark_rule.h"
#include "trace/wake_rule.h"
#include "trace/worker_rule.h"

namespace sonde::trace {
namespace {

constexpr AnswerRule::Traits kPython = {
    .runtime = RuntimeKind::kPython, .method = LinkMethod::kContext, .making_is_told = true};
constexpr AnswerRule::Traits kGo = {.runtime = RuntimeKind::kGo,
                                    .method = LinkMethod::kGoroutine,
                                    .streams_are_told = true,
                                    .makers_on_demand = true};
constexpr AnswerRule::Traits kJavaVirtual = {
    .runtime = RuntimeKind::kJava, .method = LinkMethod::kVirtualThread, .one_request_each = true};
constexpr AnswerRule::Traits kHaproxy = {.runtime = RuntimeKind::kHaproxy,
                                         .method = LinkMethod::kTask,
                                         .answers_last = true,
                                         .connector_calls = true};
constexpr WakeRule::Traits kGoPool = {
    .runtime = RuntimeKind::kGo, .method = LinkMethod::kWakeup, .awaiting_is_told = true};
constexpr WakeRule::Traits kTokio = {.runtime = RuntimeKind::kTokio,
                                     .method = LinkMethod::kTask,
                                     .connection_tasks = true,
                                     .max_hops = 2};

}  // namespace

std::vector<std::unique_ptr<LinkRule>> MakeRules(bool guesses, MetricRegistry& metrics) {
  std::vector<std::unique_ptr<LinkRule>> rules;
  rules.push_back(std::make_unique<SameThreadRule>(metrics));
  rules.push_back(std::make_unique<AnswerRule>(kPython, metrics));
  rules.push_back(std::make_unique<AnswerRule>(kGo, metrics));
  rules.push_back(std::make_unique<AnswerRule>(kJavaVirtual, metrics));
  rules.push_back(std::make_unique<AnswerRule>(kHaproxy, metrics));
  rules.push_back(std::make_unique<UnparkRule>(metrics));
  rules.push_back(std::make_unique<WakeRule>(kGoPool));
  rules.push_back(std::make_unique<WakeRule>(kTokio));
  rules.push_back(std::make_unique<AsyncIdRule>());
  rules.push_back(std::make_unique<SocketRule>(metrics));
  rules.push_back(std::make_unique<WorkerRule>(metrics));
  rules.push_back(std::make_unique<RequestIdRule>());
  if (guesses) rules.push_back(std::make_unique<GuessRule>());
  return rules;
}

}  // namespace sonde::trace
