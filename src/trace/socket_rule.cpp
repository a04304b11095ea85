// SPDX-License-Identifier: Apache-2.0
#include "trace/socket_rule.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <algorithm>  // IWYU pragma: keep
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/gated_rule.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"

namespace sonde::trace {

SocketRule::SocketRule(MetricRegistry& metrics) : GatedRule(LinkMethod::kSocket, metrics) {}

SocketRule::Process* SocketRule::Find(uint32_t tgid) {
  const auto found = processes_.find(tgid);
  return found == processes_.end() ? nullptr : &found->second;
}

void SocketRule::Thread::BeginTurn() {
  works_for.clear();
  reads = 0;
  turn_call = 0;
  calls = 0;
  may_call = 1;
  answered = false;
}

SocketRule::Candidates SocketRule::Unanswered(const Process& process, const Candidates& requests) {
  Candidates open;
  for (const ExchangeId request : requests) {
    if (process.unanswered.contains(request)) open.push_back(request);
  }
  return open;
}

void SocketRule::OnReceived(const DataEvent& event) {
  if (!Covers(event.who)) return;
  Process* process = Find(event.who.tgid);
  if (process == nullptr) return;
  Thread& thread = process->threads[event.who.tid];
  // It reads all there is, in several pieces, before it looks at it.
  if (thread.reads != 0 && thread.reads == event.connection) return;
  const Connection* connection = process->connections.Find(event.connection);
  thread.BeginTurn();
  if (connection == nullptr) return;
  if (connection->call != 0) {
    thread.works_for = connection->claimed;
    thread.turn_call = connection->call;
  } else if (connection->is_shared) {
    thread.reads = event.connection;
  } else if (connection->request != 0) {
    thread.works_for.push_back(connection->request);
  }
}

void SocketRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (!Covers(fact.last_by) || IsClosed(fact.last_by.tgid)) return;
  Process& process = processes_[fact.last_by.tgid];
  process.calls.RequestBegins(fact.id);
  process.unanswered.insert(fact.id);
  const bool is_shared = fact.stream != 0;
  process.connections.Put(fact.connection, {.request = fact.id, .is_shared = is_shared});
  Thread& thread = process.threads[fact.last_by.tid];
  if (!is_shared || thread.reads != fact.connection) thread.BeginTurn();
  if (is_shared) thread.reads = fact.connection;
  if (thread.works_for.size() == kMaxCandidates) return;
  thread.works_for.push_back(fact.id);
  thread.may_call = thread.works_for.size();
}

void SocketRule::OnExecution(const ExecutionEvent& event, std::vector<Verdict>& /*verdicts*/) {
  if (event.change != ExecutionChange::kConnects || !Covers(event.by)) return;
  Process* process = Find(event.by.tgid);
  if (process == nullptr) return;
  const auto thread = process->threads.find(event.by.tid);
  if (thread == process->threads.end()) return;
  thread->second.reads = 0;
  process->connections.Put(event.connection, {.connected_for = thread->second.works_for});
}

bool SocketRule::OnCallSent(const RequestFact& fact) {
  const Execution& by = fact.first_by;
  if (!Covers(by)) return false;
  Process* process = Find(by.tgid);
  if (process == nullptr || !process->calls.CallBegins(fact.id)) return false;
  Thread& thread = process->threads[by.tid];
  thread.reads = 0;
  const Connection* known = process->connections.Find(fact.connection);
  // Perhaps the handshake was read last, for a request that connected before: which is not known.
  if (fact.plain_text && known == nullptr) thread.BeginTurn();
  // The first request on a connection was decided on when it was connected for.
  const bool connected = known != nullptr && known->call == 0 && !known->connected_for.empty();
  if (!connected && ++thread.calls > thread.may_call) process->unsafe = true;
  const Candidates claimed =
      Unanswered(*process, connected ? known->connected_for : thread.works_for);
  process->connections.Put(fact.connection, {.call = fact.id, .claimed = claimed});
  if (!connected && thread.turn_call != 0) process->followed_by[thread.turn_call] = fact.id;
  thread.turn_call = 0;
  if (claimed.size() == 1 && claimed[0] < fact.id) process->calls.Assign(fact.id, claimed[0]);
  return true;
}

void SocketRule::OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (!Covers(fact.by)) return;
  Process* process = Find(fact.by.tgid);
  if (process == nullptr || !process->calls.IsFree(fact.id)) return;
  const auto thread = process->threads.find(fact.by.tid);
  if (thread == process->threads.end() || thread->second.turn_call != fact.id) return;
  process->heard.insert_or_assign(fact.id, thread->second.works_for);
}

void SocketRule::OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (!Covers(fact.by)) return;
  Process* process = Find(fact.by.tgid);
  if (process == nullptr || process->unanswered.erase(fact.id) == 0) return;
  const auto found = process->threads.find(fact.by.tid);
  if (found == process->threads.end()) return;
  Thread& thread = found->second;
  thread.reads = 0;
  const bool is_candidate = std::ranges::find(thread.works_for, fact.id) != thread.works_for.end();
  // Of the requests that it has read together it may answer some itself, one after the other.
  const bool at_once = is_candidate && thread.may_call > 1;
  if (!at_once && std::exchange(thread.answered, true)) process->unsafe = true;
  if (thread.turn_call == 0) return;
  const ExchangeId call = thread.turn_call;
  thread.turn_call = 0;
  if (is_candidate) {
    BearOut(*process, call, fact.id);
  } else if (!thread.works_for.empty()) {
    process->unsafe = true;
  }
}

void SocketRule::BearOut(Process& process, ExchangeId call, ExchangeId request) {
  process.heard.erase(call);
  if (process.calls.AssignedTo(call) == 0) {
    const bool ambiguous = std::ranges::any_of(process.heard, [&](const auto& other) {
      return std::ranges::find(other.second, request) != other.second.end();
    });
    if (ambiguous || !process.calls.IsFree(call) || request > call) return;
    process.calls.Assign(call, request);
  }
  process.borne_out.insert(call);
}

// Itself, or by the call that was sent when its response was read, and so on.
bool SocketRule::IsBorneOut(Process& process, ExchangeId call) {
  constexpr size_t kMaxCalls = 256;
  const ExchangeId request = process.calls.AssignedTo(call);
  for (size_t i = 0; i < kMaxCalls && request != 0; ++i) {
    if (process.borne_out.contains(call)) return true;
    const auto next = process.followed_by.find(call);
    if (next == process.followed_by.end() || process.calls.AssignedTo(next->second) != request) {
      return false;
    }
    call = next->second;
  }
  return false;
}

void SocketRule::OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) {
  Process* process = Find(fact.requested_by.tgid);
  if (process == nullptr) return;
  if (process->unsafe) return CloseGate(fact.requested_by.tgid, verdicts);
  process->unanswered.erase(fact.id);
  absl::erase_if(process->heard,
                 [&](const auto& call) { return !process->calls.IsFree(call.first); });
  const std::vector<ExchangeId> calls = process->calls.CallsOf(fact.id);
  absl::flat_hash_set<ExchangeId> unproven;
  for (const ExchangeId call : calls) {
    if (!IsBorneOut(*process, call)) unproven.insert(call);
  }
  const size_t before = verdicts.size();
  process->calls.RequestEnds(fact.id, fact.complete, verdicts);
  for (size_t i = before; i < verdicts.size(); ++i) {
    if (unproven.contains(verdicts[i].call)) verdicts[i].server = 0;
    process->borne_out.erase(verdicts[i].call);
    process->followed_by.erase(verdicts[i].call);
  }
}

void SocketRule::ForgetProcess(uint32_t tgid, std::vector<Verdict>& verdicts) {
  Process* process = Find(tgid);
  if (process == nullptr) return;
  process->calls.Clear(verdicts);
  processes_.erase(tgid);
}

}  // namespace sonde::trace
