// SPDX-License-Identifier: Apache-2.0
#include "trace/answer_rule.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ranges>
#include <utility>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/gated_rule.h"
#include "trace/hand_offs.h"
#include "trace/link_rule.h"

namespace sonde::trace {
namespace {

template <typename List, typename Unwanted>
void EraseIf(List& list, Unwanted unwanted) {
  list.erase(std::remove_if(list.begin(), list.end(), unwanted), list.end());
}

}  // namespace

AnswerRule::AnswerRule(const Traits& traits, MetricRegistry& metrics)
    : GatedRule(traits.method, metrics), traits_(traits) {}

AnswerRule::Process* AnswerRule::Find(uint32_t tgid) {
  const auto found = processes_.find(tgid);
  return found == processes_.end() ? nullptr : &found->second;
}

void AnswerRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) {
  const Execution& by = fact.last_by;
  if (by.runtime != traits_.runtime || IsClosed(by.tgid)) return;
  Process& process = processes_[by.tgid];
  if (traits_.one_request_each && by.id != 0 &&
      !process.reading.try_emplace(by.id, fact.id).second) {
    CloseGate(by.tgid, verdicts);
    return;
  }
  if (by.is_thread) FindLoop(process, fact);
  process.requests[fact.id] = {.read = fact, .since_ns = fact.mono_ns};
  process.calls.RequestBegins(fact.id);
  if (!traits_.streams_are_told || fact.stream == 0) return;
  if (const auto worker = process.streams.Opens(fact)) Serves(process, fact.id, *worker, verdicts);
}

// Requests of one connection are answered in order: to have read two of them shows nothing.
void AnswerRule::FindLoop(Process& process, const RequestFact& fact) {
  const ExecutionId thread = fact.last_by.id;
  const auto [reading, first] = process.reading.try_emplace(thread, fact.id);
  if (first) return;
  const auto before = process.requests.find(std::exchange(reading->second, fact.id));
  if (before == process.requests.end() || before->second.read.connection == fact.connection) return;
  process.loops.Put(thread, true);
  process.answering.erase(thread);
  process.waiting.erase(thread);
}

void AnswerRule::OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& /*verdicts*/) {
  Process* process = Find(fact.by.tgid);
  const ExecutionId answerer = fact.work != 0 ? fact.work : fact.by.id;
  if (process == nullptr || answerer == 0 || process->loops.Find(answerer) != nullptr) return;
  const auto request = process->requests.find(fact.id);
  if (request == process->requests.end()) return;
  if (traits_.streams_are_told && request->second.read.stream != 0) return;
  // Who leaves requests to a pool works for none of them, though it may write for the connection.
  if (fact.work != 0 && fact.left_by != 0) process->loops.Put(fact.left_by, true);
  // Beside its own answer a thread may write those of others that share the connection.
  if (fact.work != 0 && process->answering.contains(answerer)) return;
  request->second.answerer = answerer;
  request->second.answerer_tid = fact.by.tid;
  Answers(*process, fact.id, answerer);
  if (!traits_.making_is_told) return;
  MakersAnswer(*process, fact.id, ChainOf(*process, answerer, fact.mono_ns));
}

// What the execution calls, and has called since, is for this request.
void AnswerRule::Answers(Process& process, ExchangeId request, ExecutionId execution) const {
  process.answering[execution] = request;
  ClaimCalls(process, request, execution, std::numeric_limits<uint64_t>::max());
}

// `chain`: of the one that answers. What its makers call from then on may be for others.
void AnswerRule::MakersAnswer(Process& process, ExchangeId request, const Chain& chain) const {
  const uint64_t read_ns = process.requests.at(request).since_ns;
  for (size_t i = 1; i + 1 < chain.size(); ++i) {
    const uint64_t made_ns = chain[i + 1].since_ns;
    if (made_ns < read_ns) return;
    ClaimCalls(process, request, chain[i].execution, chain[i].since_ns);
  }
}

// Those that were sent by then.
void AnswerRule::ClaimCalls(Process& process, ExchangeId request, ExecutionId execution,
                            uint64_t until_ns) const {
  const auto waiting = process.waiting.find(execution);
  if (waiting == process.waiting.end()) return;
  EraseIf(waiting->second, [&](ExchangeId call) {
    if (!process.calls.IsFree(call)) return true;
    const auto chain = process.chains.find(call);
    if (chain != process.chains.end() && chain->second.chain.front().since_ns > until_ns) {
      return false;
    }
    return Claim(process, call, request, execution);
  });
  if (waiting->second.empty()) process.waiting.erase(waiting);
}

void AnswerRule::Serves(Process& process, ExchangeId request, const ToldStreams::Worker& worker,
                        std::vector<Verdict>& verdicts) const {
  const auto found = process.requests.find(request);
  if (found == process.requests.end()) return;
  Open& open = found->second;
  if (open.disputed || open.answerer == worker.execution) return;
  if (open.answerer != 0) {  // never, if all is as it is taken to be: then nothing is known
    open.disputed = true;
    process.answering.erase(open.answerer);
    for (const ExchangeId call : process.calls.CallsOf(request)) {
      process.calls.Refuse(call, verdicts);
    }
    return;
  }
  open.answerer = worker.execution;
  open.since_ns = std::max(open.since_ns, worker.since_ns);
  Answers(process, request, worker.execution);
}

void AnswerRule::OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) {
  Process* process = Find(fact.requested_by.tgid);
  if (process == nullptr) return;
  const auto request = process->requests.find(fact.id);
  if (request == process->requests.end()) return;
  const auto forget = [&](absl::flat_hash_map<ExecutionId, ExchangeId>& by, ExecutionId execution) {
    const auto found = by.find(execution);
    if (found != by.end() && found->second == fact.id) by.erase(found);
  };
  forget(process->answering, request->second.answerer);
  const ExecutionId reader = request->second.read.last_by.id;
  forget(process->reading, reader);
  if (request->second.read.stream != 0) process->streams.Ends(request->second.read);
  process->requests.erase(request);
  const size_t before = verdicts.size();
  process->calls.RequestEnds(fact.id, fact.complete, verdicts);
  if (traits_.makers_on_demand && !process->demanded) {
    process->demanded =
        std::ranges::any_of(verdicts | std::views::drop(before), [&](const Verdict& verdict) {
          return verdict.server == 0 && LacksMaker(*process, verdict.call, reader);
        });
    if (process->demanded) demands_.push_back(fact.requested_by.tgid);
  }
  Sweep(*process);
}

// The caller, or its maker, is younger than the one that read the request, which perhaps made it.
bool AnswerRule::LacksMaker(const Process& process, ExchangeId call, ExecutionId reader) {
  const auto chain = process.chains.find(call);
  return chain != process.chains.end() && chain->second.is_caller &&
         chain->second.chain.back().execution > reader;
}

bool AnswerRule::OnCallSent(const RequestFact& fact) {
  const Execution& by = fact.first_by;
  if (by.runtime != traits_.runtime) return false;
  Process* process = Find(by.tgid);
  if (process == nullptr) return false;
  const ExecutionId caller = CallerOf(*process, fact);
  if (caller == 0 || !process->calls.CallBegins(fact.id)) return false;
  if (fact.stream == 0) process->last_on[fact.connection] = fact.id;
  Chain chain = ChainOf(*process, caller, fact.mono_ns);
  if (fact.work != 0) chain.insert(chain.begin(), {fact.work, fact.mono_ns});
  const bool is_caller = !traits_.makers_on_demand || fact.stream != 0;
  if (!is_caller && chain.size() > 2) chain.resize(2);
  const bool stays = traits_.making_is_told && fact.work == 0;
  Wait(*process, fact.id,
       {.chain = std::move(chain), .is_caller = is_caller, .tid = stays ? by.tid : 0});
  return true;
}

void AnswerRule::OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (!traits_.makers_on_demand) return;
  Process* process = Find(fact.by.tgid);
  if (process == nullptr || !process->calls.IsFree(fact.id)) return;
  const auto chain = process->chains.find(fact.id);
  if (chain == process->chains.end()) return;
  const Link caller = chain->second.chain.front();
  if (caller.execution != fact.by.id) return;
  Wait(*process, fact.id, {.chain = ChainOf(*process, caller.execution, caller.since_ns)});
}

AnswerRule::ExecutionId AnswerRule::CallerOf(Process& process, const RequestFact& call) const {
  if (traits_.streams_are_told && call.stream != 0) return process.streams.Caller(call);
  if (!traits_.connector_calls) return call.first_by.id;
  const ExecutionId* connector = process.connecting.Find(call.connection);
  if (connector == nullptr) return call.first_by.id;
  const ExecutionId caller = *connector;
  process.connecting.Erase(call.connection);
  return caller;
}

// The first call was seen before its answer, or will not be.
void AnswerRule::OnReceived(const DataEvent& event) {
  if (!traits_.connector_calls || event.who.runtime != traits_.runtime) return;
  Process* process = Find(event.who.tgid);
  if (process != nullptr) process->connecting.Erase(event.connection);
}

void AnswerRule::OnExecution(const ExecutionEvent& event, std::vector<Verdict>& verdicts) {
  if (event.by.runtime != traits_.runtime) return;
  if (traits_.streams_are_told &&
      (event.change == ExecutionChange::kServes || event.change == ExecutionChange::kCalls)) {
    OnStream(event, verdicts);
    return;
  }
  if (event.change == ExecutionChange::kMade) {
    Process* process = Find(event.by.tgid);
    if (process == nullptr) return;
    // Numbers come again (the address of a context); what is told is news, what was met is not.
    if (traits_.making_is_told) {
      Forget(*process, event.to);
    } else if (process->made.Find(event.to) != nullptr) {
      return;
    }
    process->made.Put(event.to, {event.from, event.mono_ns});
    return;
  }
  if (event.change == ExecutionChange::kTakesUp) {
    if (Process* process = Find(event.by.tgid)) Forget(*process, HandOffs::AsExecution(event.to));
    return;
  }
  if (event.change == ExecutionChange::kConnects && traits_.connector_calls && event.from != 0) {
    Process* process = Find(event.by.tgid);
    if (process != nullptr) process->connecting.Put(event.connection, event.from);
    return;
  }
  if (event.change != ExecutionChange::kAwaited) return;
  Process* process = Find(event.by.tgid);
  if (process == nullptr) return;
  const auto last = process->last_on.find(event.connection);
  if (last == process->last_on.end() || !process->calls.IsFree(last->second)) return;
  if (event.from != 0 && process->made.Find(event.to) == nullptr) {
    process->made.Put(event.to, {event.from, event.mono_ns});
  }
  Wait(*process, last->second, {.chain = ChainOf(*process, event.to, event.mono_ns)});
}

// Who had the number before is gone.
void AnswerRule::Forget(Process& process, ExecutionId execution) {
  process.answering.erase(execution);
  process.waiting.erase(execution);
}

void AnswerRule::OnStream(const ExecutionEvent& event, std::vector<Verdict>& verdicts) {
  if (event.change == ExecutionChange::kCalls) {
    Process* process = Find(event.by.tgid);
    if (process != nullptr) process->streams.Calls(event);
    return;
  }
  Process& process = processes_[event.by.tgid];
  const ExchangeId request = process.streams.Serves(event);
  Serves(process, request, {event.to, event.mono_ns}, verdicts);
}

AnswerRule::Chain AnswerRule::ChainOf(Process& process, ExecutionId execution, uint64_t now_ns) {
  Chain chain;
  uint64_t since_ns = now_ns;
  while (execution != 0 && chain.size() < kChain &&
         std::ranges::find(chain, execution, &Link::execution) == chain.end()) {
    chain.push_back({execution, since_ns});
    const Maker* maker = process.made.Find(execution);
    // Made after what it is said to have made: its number was another's then.
    if (maker == nullptr || (traits_.making_is_told && maker->made_ns > since_ns)) {
      if (maker != nullptr) chain.pop_back();
      break;
    }
    since_ns = maker->made_ns;
    execution = maker->execution;
  }
  return chain;
}

// Puts the call where the answers of its chain will find it, and looks at those that have begun.
void AnswerRule::Wait(Process& process, ExchangeId call, FreeCall free) const {
  const auto& links = (process.chains[call] = std::move(free)).chain;
  for (const Link& link : links) {
    const auto answering = process.answering.find(link.execution);
    if (!traits_.answers_last && answering != process.answering.end() &&
        Claim(process, call, answering->second, link.execution)) {
      return;
    }
    if (process.loops.Find(link.execution) != nullptr) continue;
    process.waiting[link.execution].push_back(call);
  }
}

bool AnswerRule::Claim(Process& process, ExchangeId call, ExchangeId request,
                       ExecutionId answerer) const {
  const auto chain = process.chains.find(call);
  const auto open = process.requests.find(request);
  if (chain == process.chains.end() || open == process.requests.end() || request > call) {
    return false;
  }
  // A pool's thread may answer what it has not read (a completed future): it worked for others,
  // too.
  if (traits_.one_request_each && open->second.read.last_by.id != answerer) return false;
  const Chain& links = chain->second.chain;
  const auto link = std::ranges::find(links, answerer, &Link::execution);
  if (link == links.end() || link->since_ns < open->second.since_ns) return false;
  const bool moved = chain->second.tid != 0 && chain->second.tid != open->second.answerer_tid;
  if (moved && link == links.begin()) return false;
  process.calls.Assign(call, request);
  process.chains.erase(chain);
  return true;
}

// Calls that were given up leave their traces; all of them are older than the oldest that waits.
void AnswerRule::Sweep(Process& process) {
  constexpr size_t kFew = 1024;
  if (process.chains.size() < kFew || process.chains.size() < 4 * process.calls.waiting()) {
    if (process.waiting.size() < kFew || process.waiting.size() < 8 * process.chains.size()) return;
  }
  const auto dead = [&](ExchangeId call) { return !process.calls.IsFree(call); };
  absl::erase_if(process.chains, [&](const auto& entry) { return dead(entry.first); });
  absl::erase_if(process.last_on, [&](const auto& entry) { return dead(entry.second); });
  absl::erase_if(process.waiting, [&](auto& entry) {
    EraseIf(entry.second, dead);
    return entry.second.empty();
  });
}

void AnswerRule::ForgetProcess(uint32_t tgid, std::vector<Verdict>& verdicts) {
  Process* process = Find(tgid);
  if (process == nullptr) return;
  process->calls.Clear(verdicts);
  processes_.erase(tgid);
}

}  // namespace sonde::trace
