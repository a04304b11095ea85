// SPDX-License-Identifier: Apache-2.0
#include "trace/socket_rule.h"

#include <absl/container/flat_hash_set.h>

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

ExchangeId SocketRule::IfUnanswered(const Process& process, ExchangeId request) {
  return process.unanswered.contains(request) ? request : 0;
}

void SocketRule::OnReceived(const DataEvent& event) {
  if (!Covers(event.who)) return;
  Process* process = Find(event.who.tgid);
  if (process == nullptr) return;
  Thread& thread = process->threads[event.who.tid];
  const Connection* connection = process->connections.Find(event.connection);
  thread = {};
  if (connection == nullptr) return;
  thread.works_for = connection->call != 0 ? connection->claimed : connection->request;
  thread.turn_call = connection->call;
}

void SocketRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (!Covers(fact.last_by) || IsClosed(fact.last_by.tgid)) return;
  Process& process = processes_[fact.last_by.tgid];
  process.calls.RequestBegins(fact.id);
  process.unanswered.insert(fact.id);
  process.connections.Put(fact.connection, {.request = fact.id});
  process.threads[fact.last_by.tid] = {.works_for = fact.id};
}

void SocketRule::OnExecution(const ExecutionEvent& event, std::vector<Verdict>& /*verdicts*/) {
  if (event.change != ExecutionChange::kConnects || !Covers(event.by)) return;
  Process* process = Find(event.by.tgid);
  if (process == nullptr) return;
  const auto thread = process->threads.find(event.by.tid);
  if (thread == process->threads.end()) return;
  process->connections.Put(event.connection, {.connected_for = thread->second.works_for});
}

bool SocketRule::OnCallSent(const RequestFact& fact) {
  const Execution& by = fact.first_by;
  if (!Covers(by)) return false;
  Process* process = Find(by.tgid);
  if (process == nullptr || !process->calls.CallBegins(fact.id)) return false;
  Thread& thread = process->threads[by.tid];
  const Connection* known = process->connections.Find(fact.connection);
  // The first request on a connection was decided on when it was connected for.
  const bool connected = known != nullptr && known->call == 0 && known->connected_for != 0;
  if (!connected && std::exchange(thread.called, true)) process->unsafe = true;
  const ExchangeId request =
      IfUnanswered(*process, connected ? known->connected_for : thread.works_for);
  process->connections.Put(fact.connection, {.call = fact.id, .claimed = request});
  if (!connected && thread.turn_call != 0) process->followed_by[thread.turn_call] = fact.id;
  thread.turn_call = 0;
  if (request != 0 && request < fact.id && fact.stream == 0) {
    process->calls.Assign(fact.id, request);
  }
  return true;
}

void SocketRule::OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (!Covers(fact.by)) return;
  Process* process = Find(fact.by.tgid);
  if (process == nullptr || process->unanswered.erase(fact.id) == 0) return;
  const auto thread = process->threads.find(fact.by.tid);
  if (thread == process->threads.end()) return;
  if (std::exchange(thread->second.answered, true)) process->unsafe = true;
  if (thread->second.turn_call == 0) return;
  const ExchangeId call = thread->second.turn_call;
  thread->second.turn_call = 0;
  const ExchangeId claimed = process->calls.AssignedTo(call);
  if (claimed == fact.id) {
    process->borne_out.insert(call);
  } else if (claimed != 0) {
    process->unsafe = true;
  }
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
