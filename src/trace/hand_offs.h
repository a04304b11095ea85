// SPDX-License-Identifier: Apache-2.0
// Whose work a thread of a pool does. A runtime whose pools take their work out of a queue tells
// who put each piece in and who took it out; a call that is sent while a thread is at such a piece
// is the caller's who left it, and every rule is told so. The rules judge it then as any other call
// of that execution.
//
//   hands off   the piece is its own, or is part of the one that it is at itself
//   takes up    the thread is at that piece, until it takes up the next or reads a request
//   answers     what the execution left to others before, it does not wait for any more: calls for
//               that are nobody's (its next request is not what they are for)
//   made        the execution that had this id before is gone: the same of what it left
//
// A pool whose work is to serve (grpcio's) answers from it: the piece is then itself the execution
// that calls and answers, whatever its thread or context is called.
//
// By the identity of the piece: it does not matter how long it waits, or which thread is free
// first. Drain thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "sonde/pipeline/event.h"
#include "trace/link_rule.h"
#include "trace/recent_map.h"

namespace sonde::trace {

class HandOffs {
 public:
  void OnExecution(const ExecutionEvent& event);
  void OnRequestRead(const Execution& by);
  void OnAnswerStarted(const Execution& by);
  void OnProcessExit(uint32_t tgid) { processes_.erase(tgid); }

  // Who is to be taken for the sender of a call: the one that left the work to the thread, or the
  // sender itself.
  Execution Caller(const Execution& sender);
  // The piece that it is at, as an execution that is no other's; 0: none.
  uint64_t WorkOf(const Execution& sender);
  // The execution that left it; 0: not known.
  uint64_t LeaverOf(const Execution& sender);
  static uint64_t AsExecution(uint64_t piece) { return piece | uint64_t{1} << 63U; }

  // Per process, of each kind (two generations of so many).
  static constexpr size_t kRemembered = 16'384;

 private:
  // Who left it, and when, in moments of the process.
  struct Work {
    Execution by = {};  // tgid 0: it was not seen
    uint64_t piece = 0;
    uint64_t left_at = 0;
  };
  using ThreadAndId = std::pair<uint32_t, uint64_t>;
  struct Process {
    uint64_t moments = 0;  // answers, makings and hand-offs
    bool hands_off = false;
    RecentMap<uint64_t, Work> queued{kRemembered};
    RecentMap<uint32_t, Work> at_work{kRemembered};          // threads
    RecentMap<uint32_t, bool> serving{kRemembered};          // threads with a request of their own
    RecentMap<ThreadAndId, uint64_t> answered{kRemembered};  // executions, when last
    RecentMap<uint64_t, uint64_t> made{kRemembered};         // ids, when last: then another's
    RecentMap<uint64_t, uint64_t> left{kRemembered};         // the same of pieces
  };

  // A thread's piece of work, with the process it is of; null: it is at none.
  struct AtWork {
    Process* process = nullptr;
    const Work* work = nullptr;
  };
  AtWork Find(const Execution& sender);
  static void HandOff(Process& process, const ExecutionEvent& event);
  static void TakeUp(Process& process, const ExecutionEvent& event);

  absl::flat_hash_map<uint32_t, Process> processes_;  // those that may hand off
};

}  // namespace sonde::trace
