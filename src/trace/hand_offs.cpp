// SPDX-License-Identifier: Apache-2.0
#include "trace/hand_offs.h"

#include <cstdint>

#include "sonde/pipeline/event.h"

namespace sonde::trace {

void HandOffs::OnExecution(const ExecutionEvent& event) {
  if (event.change == ExecutionChange::kHandsOff) {
    HandOff(processes_[event.by.tgid], event);
  } else if (event.change == ExecutionChange::kTakesUp) {
    TakeUp(processes_[event.by.tgid], event);
  }
}

void HandOffs::HandOff(Process& process, const ExecutionEvent& event) {
  Work work{.by = event.by, .left_at = process.answers};
  work.by.id = event.from;
  // Work within work is the first one's.
  if (const Work* own = process.at_work.Find(event.by.tid)) work = *own;
  process.queued.Put(event.to, work);
}

void HandOffs::TakeUp(Process& process, const ExecutionEvent& event) {
  // Who serves a request takes work out to throw it away (a pool that is shut down).
  if (process.serving.Find(event.by.tid) != nullptr) return;
  const Work* queued = process.queued.Find(event.to);
  if (queued == nullptr) {  // left before anybody looked
    process.at_work.Erase(event.by.tid);
    return;
  }
  process.at_work.Put(event.by.tid, *queued);
  process.queued.Erase(event.to);
}

// A pool whose work is to serve: what it does from now on is its own (gunicorn's threads).
void HandOffs::OnRequestRead(const Execution& by) {
  if (by.runtime != RuntimeKind::kPython) return;  // no other hands off
  Process& process = processes_[by.tgid];
  process.at_work.Erase(by.tid);
  process.serving.Put(by.tid, true);
}

void HandOffs::OnAnswerStarted(const Execution& by) {
  const auto process = processes_.find(by.tgid);
  if (process == processes_.end()) return;
  process->second.serving.Erase(by.tid);
  process->second.answered.Put({by.tid, by.id}, ++process->second.answers);
}

Execution HandOffs::Caller(const Execution& sender) {
  const auto process = processes_.find(sender.tgid);
  if (process == processes_.end()) return sender;
  const Work* work = process->second.at_work.Find(sender.tid);
  if (work == nullptr) return sender;
  const uint64_t* answered = process->second.answered.Find({work->by.tid, work->by.id});
  return answered != nullptr && *answered > work->left_at ? sender : work->by;
}

}  // namespace sonde::trace
