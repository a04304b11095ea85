// SPDX-License-Identifier: Apache-2.0
#include "trace/worker_rule.h"

#include <cstdint>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/gated_rule.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"

namespace sonde::trace {

WorkerRule::WorkerRule(MetricRegistry& metrics) : GatedRule(LinkMethod::kWorker, metrics) {}

WorkerRule::Process* WorkerRule::Find(uint32_t tgid) {
  const auto found = processes_.find(tgid);
  return found == processes_.end() ? nullptr : &found->second;
}

WorkerRule::Thread& WorkerRule::Of(Process& process, uint32_t tid) {
  Thread* known = process.threads.Find(tid);
  return known != nullptr ? *known : process.threads.Put(tid, {});
}

void WorkerRule::Forget(Process& process, Thread& thread, std::vector<Verdict>& verdicts) {
  for (const Call& call : thread.calls) process.calls.Refuse(call.id, verdicts);
  thread.calls.clear();
}

void WorkerRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) {
  if (!Covers(fact.last_by) || IsClosed(fact.last_by.tgid)) return;
  Process& process = processes_[fact.last_by.tgid];
  Thread& thread = Of(process, fact.last_by.tid);
  if (!thread.calls.empty() && !thread.calls.back().waited) process.unsafe = true;
  Forget(process, thread, verdicts);
  thread.own = fact.id;
  process.reader[fact.id] = fact.last_by.tid;
  process.calls.RequestBegins(fact.id);
}

bool WorkerRule::OnCallSent(const RequestFact& fact) {
  if (!Covers(fact.first_by) || fact.first_by != fact.last_by || fact.stream != 0) return false;
  Process* process = Find(fact.first_by.tgid);
  if (process == nullptr) return false;
  Thread& thread = Of(*process, fact.first_by.tid);
  thread.works = true;
  if (thread.reads) process->unsafe = true;
  // What a thread does for a request that it read itself is another rule's matter.
  if (process->reader.contains(thread.own) || thread.calls.size() == kMaxCalls) return false;
  if (!thread.calls.empty() && !thread.calls.back().waited) process->unsafe = true;
  if (!process->calls.CallBegins(fact.id)) return false;
  thread.calls.push_back({.id = fact.id});
  return true;
}

void WorkerRule::OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& /*verdicts*/) {
  Process* process = Find(fact.by.tgid);
  Thread* thread = process == nullptr ? nullptr : process->threads.Find(fact.by.tid);
  if (thread == nullptr || thread->calls.empty()) return;
  Call& last = thread->calls.back();
  if (last.id == fact.id) last.waited = true;
}

void WorkerRule::OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) {
  Process* process = Find(fact.by.tgid);
  if (process == nullptr) return;
  const auto reader = process->reader.find(fact.id);
  if (reader == process->reader.end()) return;
  const uint32_t reader_tid = reader->second;
  process->reader.erase(reader);
  if (reader_tid != fact.by.tid) {
    Thread& other = Of(*process, reader_tid);
    other.reads = true;
    if (other.works) process->unsafe = true;
  }
  Thread& worker = Of(*process, fact.by.tid);
  worker.works = true;
  if (worker.reads) process->unsafe = true;
  if (reader_tid != fact.by.tid) AnswersForReader(*process, worker, fact.id, verdicts);
  Forget(*process, worker, verdicts);
  worker.answered = true;
}

void WorkerRule::AnswersForReader(Process& process, Thread& worker, ExchangeId request,
                                  std::vector<Verdict>& verdicts) {
  for (const Call& call : worker.calls) {
    if (call.id < request) {
      // The first may be of a request that was read before anybody looked.
      if (worker.answered) process.unsafe = true;
    } else if (call.waited) {
      process.calls.Assign(call.id, request);
      continue;
    }
    process.calls.Refuse(call.id, verdicts);
  }
  worker.calls.clear();
}

void WorkerRule::OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) {
  Process* process = Find(fact.requested_by.tgid);
  if (process == nullptr) return;
  if (process->unsafe) return CloseGate(fact.requested_by.tgid, verdicts);
  process->reader.erase(fact.id);
  process->calls.RequestEnds(fact.id, fact.complete, verdicts);
}

void WorkerRule::ForgetProcess(uint32_t tgid, std::vector<Verdict>& verdicts) {
  Process* process = Find(tgid);
  if (process == nullptr) return;
  process->calls.Clear(verdicts);
  processes_.erase(tgid);
}

}  // namespace sonde::trace
