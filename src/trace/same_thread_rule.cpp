// SPDX-License-Identifier: Apache-2.0
#include "trace/same_thread_rule.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "trace/gated_rule.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"

namespace sonde::trace {

SameThreadRule::SameThreadRule(MetricRegistry& metrics) : GatedRule(LinkMethod::kThread, metrics) {}

// Threads of these runtimes work for whoever is runnable.
bool SameThreadRule::Covers(const Execution& by) {
  return by.tgid != 0 && by.runtime != RuntimeKind::kGo && by.runtime != RuntimeKind::kNode &&
         by.runtime != RuntimeKind::kTokio && by.runtime != RuntimeKind::kHaproxy &&
         by.runtime != RuntimeKind::kOther;
}

void SameThreadRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) {
  const ThreadKey key = KeyOf(fact.last_by);
  if (!Covers(fact.last_by) || IsClosed(fact.last_by.tgid)) return;
  if (IsLoop(fact.last_by.tgid, verdicts)) return;
  if (const Role* role = RoleOf(fact.last_by); role != nullptr && *role == Role::kReads) return;
  Thread& thread = threads_[key];
  if (!thread.open.empty()) {
    if (fact.connection == thread.connection) {
      // Pipelining, or the end of the request before was not seen: one connection is served in
      // order, so this proves nothing about the process; but which of the two a call belongs to is
      // not certain.
      ReleaseCalls(thread, verdicts);
      thread.linkable = false;
    } else if (!Leaves(fact.last_by, thread, verdicts)) {
      if (OnlyReads(fact.last_by)) {
        threads_.erase(key);
      } else {
        CloseGate(fact.last_by.tgid, verdicts);
      }
      return;
    }
  }
  thread.open.push_back(fact.id);
  thread.connection = fact.connection;
  thread.answered = false;
  thread.takes_calls = true;
  if (fact.first_by != fact.last_by) thread.linkable = false;
}

// The thread's handler returned without an answer, and it took the next request from its queue; or
// it is a loop after all.
bool SameThreadRule::Leaves(const Execution& by, Thread& thread, std::vector<Verdict>& verdicts) {
  if (by.runtime != RuntimeKind::kJava) return false;
  leaving_.insert(by.tgid);
  for (const Call& call : thread.calls) {
    if (!call.waited) left_.Put(call.id, KeyOf(by));
  }
  ReleaseCalls(thread, verdicts);
  thread.open.clear();
  thread.linkable = true;
  return true;
}

// Null: it has done nothing yet that tells.
SameThreadRule::Role* SameThreadRule::RoleOf(const Execution& by) {
  const auto process = roles_.find(by.tgid);
  return process == roles_.end() ? nullptr : process->second.Find(by.tid);
}

// It held two requests, and has not called or answered so far.
bool SameThreadRule::OnlyReads(const Execution& by) {
  if (RoleOf(by) != nullptr) return false;
  roles_.try_emplace(by.tgid, kRemembered).first->second.Put(by.tid, Role::kReads);
  return true;
}

void SameThreadRule::Works(const Execution& by) {
  if (!Covers(by) || IsClosed(by.tgid)) return;
  const Role* role = RoleOf(by);
  if (role == nullptr) {
    roles_.try_emplace(by.tgid, kRemembered).first->second.Put(by.tid, Role::kWorks);
  } else if (*role == Role::kReads) {
    loops_.insert(by.tgid);
  }
}

bool SameThreadRule::IsLoop(uint32_t tgid, std::vector<Verdict>& verdicts) {
  if (!loops_.contains(tgid)) return false;
  CloseGate(tgid, verdicts);
  return true;
}

void SameThreadRule::OnExecution(const ExecutionEvent& event, std::vector<Verdict>& /*verdicts*/) {
  if (event.by.runtime != RuntimeKind::kJava) return;
  if (event.change != ExecutionChange::kWoken && event.change != ExecutionChange::kWokenByValue) {
    return;
  }
  // Of Java the wakes name threads of the system.
  woken_.Put(KeyOf({.tgid = event.by.tgid, .tid = static_cast<uint32_t>(event.to)}), true);
}

void SameThreadRule::OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) {
  Works(fact.by);
  const auto found = threads_.find(KeyOf(fact.by));
  if (found == threads_.end()) return;
  if (found->second.open.back() == fact.id) {
    found->second.answered = true;
    found->second.answered_by = fact.by.id;
  } else {
    // It may have left its own request behind before it called.
    ReleaseCalls(found->second, verdicts);
    found->second.takes_calls = false;
  }
}

bool SameThreadRule::OnCallSent(const RequestFact& fact) {
  Works(fact.first_by);
  const auto found = threads_.find(KeyOf(fact.first_by));
  if (found == threads_.end() || fact.first_by != fact.last_by) return false;
  Thread& thread = found->second;
  if (!thread.linkable || !thread.takes_calls || thread.calls.size() == kMaxCallsPerRequest)
    return false;
  thread.calls.push_back({fact.id, fact.first_by.id});
  return true;
}

void SameThreadRule::OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& verdicts) {
  const ThreadKey receiver = KeyOf(fact.by);
  if (const ThreadKey* sender = left_.Find(fact.id)) {
    const bool loop = *sender == receiver;
    left_.Erase(fact.id);
    if (loop && !IsClosed(fact.by.tgid)) CloseGate(fact.by.tgid, verdicts);
    return;
  }
  const auto found = threads_.find(receiver);
  if (found == threads_.end() || found->second.calls.empty()) return;
  Call& last = found->second.calls.back();
  if (last.id == fact.id) last.waited = true;
}

void SameThreadRule::OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) {
  if (IsLoop(fact.requested_by.tgid, verdicts)) return;
  const auto found = threads_.find(KeyOf(fact.requested_by));
  if (found == threads_.end()) return;
  Thread& thread = found->second;
  const auto ended = std::ranges::find(thread.open, fact.id);
  if (ended == thread.open.end()) return;
  if (*ended == thread.open.back()) {
    const bool certain = fact.complete && thread.linkable && thread.answered;
    const bool leaves = leaving_.contains(fact.requested_by.tgid);
    const bool queued = woken_.Find(found->first) != nullptr;
    for (const Call& call : thread.calls) {
      const bool same =
          certain && call.by == thread.answered_by && (!leaves || (queued && call.waited));
      verdicts.push_back({.call = call.id, .server = same ? fact.id : 0});
    }
    thread.calls.clear();
  }
  thread.open.erase(ended);
  if (thread.open.empty()) threads_.erase(found);
}

void SameThreadRule::ForgetProcess(uint32_t tgid, std::vector<Verdict>& verdicts) {
  absl::erase_if(threads_, [&](auto& entry) {
    if (entry.first >> 32 != tgid) return false;
    ReleaseCalls(entry.second, verdicts);
    return true;
  });
  leaving_.erase(tgid);
  loops_.erase(tgid);
  roles_.erase(tgid);
}

void SameThreadRule::ReleaseCalls(Thread& thread, std::vector<Verdict>& verdicts) {
  for (const Call& call : thread.calls) verdicts.push_back({.call = call.id, .server = 0});
  thread.calls.clear();
}

}  // namespace sonde::trace
