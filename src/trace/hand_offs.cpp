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
  } else if (event.change == ExecutionChange::kMade) {
    const auto process = processes_.find(event.by.tgid);
    if (process == processes_.end() || !process->second.hands_off) return;
    process->second.made.Put(event.to, ++process->second.moments);
  }
}

void HandOffs::HandOff(Process& process, const ExecutionEvent& event) {
  Work work{.by = event.by, .piece = event.to, .left_at = ++process.moments};
  work.by.id = event.from;
  // Work within work is the first one's.
  if (const Work* own = process.at_work.Find(event.by.tid)) work = *own;
  process.left.Put(event.to, process.moments);
  process.queued.Put(event.to, work);
  process.hands_off = true;
}

void HandOffs::TakeUp(Process& process, const ExecutionEvent& event) {
  // Who serves a request takes work out to throw it away (a pool that is shut down).
  if (process.serving.Find(event.by.tid) != nullptr) return;
  const Work* queued = process.queued.Find(event.to);
  if (queued == nullptr) {  // left before anybody looked
    process.left.Put(event.to, ++process.moments);
    process.at_work.Put(event.by.tid, {.piece = event.to, .left_at = process.moments});
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
  process->second.answered.Put({by.tid, by.id}, ++process->second.moments);
}

HandOffs::AtWork HandOffs::Find(const Execution& sender) {
  const auto process = processes_.find(sender.tgid);
  if (process == processes_.end()) return {};
  return {&process->second, process->second.at_work.Find(sender.tid)};
}

Execution HandOffs::Caller(const Execution& sender) {
  const auto [process, work] = Find(sender);
  if (work == nullptr || work->by.tgid == 0) return sender;
  const auto since = [left_at = work->left_at](const uint64_t* moment) {
    return moment != nullptr && *moment > left_at;
  };
  const Execution& by = work->by;
  const bool gone = since(process->answered.Find({by.tid, by.id})) ||
                    (by.id != 0 && since(process->made.Find(by.id)));
  return gone ? sender : by;
}

uint64_t HandOffs::WorkOf(const Execution& sender) {
  const auto [process, work] = Find(sender);
  if (work == nullptr) return 0;
  // The first of works within works may be over, and its number another's.
  const uint64_t* left = process->left.Find(work->piece);
  return left == nullptr || *left > work->left_at ? 0 : AsExecution(work->piece);
}

uint64_t HandOffs::LeaverOf(const Execution& sender) {
  const AtWork found = Find(sender);
  return found.work == nullptr ? 0 : found.work->by.id;
}

}  // namespace sonde::trace
