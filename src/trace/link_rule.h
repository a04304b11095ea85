// SPDX-License-Identifier: Apache-2.0
// A rule says which incoming request caused an outgoing call, from one kind of evidence
// (design.md 5.1). Every rule is a class of its own, fed with the same facts in ring order; what it
// concludes are verdicts, on which the trace stage acts.
#pragma once

#include <cstdint>
#include <vector>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"

namespace sonde::trace {

// A server read a request, or a client wrote one.
struct RequestFact {
  ExchangeId id = 0;
  ConnectionId connection = 0;
  Execution first_by;  // moved the first byte
  Execution last_by;   // moved the last byte of the head
  uint64_t mono_ns = 0;
  bool plain_text = false;  // of TLS: what was said of its socket names another connection
  uint32_t stream = 0;      // of a connection with several exchanges at once (HTTP/2); else 0
  uint64_t request_id = 0;  // RequestIdRule::IdOf() its headers
  uint64_t work = 0;        // of a call: HandOffs::WorkOf() who sent it
};

// A server sent, or a client received, the first byte of the response.
struct ResponseFact {
  ExchangeId id = 0;
  ConnectionId connection = 0;
  Execution by;
  uint64_t mono_ns = 0;
  uint64_t work = 0;     // of an answer: HandOffs::WorkOf() who sent it ...
  uint64_t left_by = 0;  // ... and the execution that left the work; 0: it was not seen
};

// The exchange is over.
struct EndFact {
  ExchangeId id = 0;
  Execution requested_by;  // RequestFact::last_by of a server request, first_by of a call
  bool complete = false;   // it came to its proper end
};

// `server` caused `call`; server 0: the rule will never name anybody for this call.
struct Verdict {
  ExchangeId call = 0;
  ExchangeId server = 0;
  double confidence = 1;  // below 1: a guess, which makes no parent
};

// A rule that returned true from OnCallSent owes that call exactly one verdict, at the latest when
// the server request it has in mind ends or its process exits. Containment is checked by the stage,
// for all rules alike. Drain thread.
class LinkRule {
 public:
  virtual ~LinkRule() = default;
  virtual LinkMethod method() const = 0;
  // Whether it looks at processes of this runtime, and has not switched itself off in this one.
  virtual bool Serves(RuntimeKind runtime) const = 0;
  virtual bool IsClosed(uint32_t /*tgid*/) const { return false; }

  virtual void OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) = 0;
  virtual void OnAnswerStarted(const ResponseFact& /*fact*/, std::vector<Verdict>& /*verdicts*/) {}
  virtual void OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) = 0;
  // True: a verdict will follow, hold the call.
  virtual bool OnCallSent(const RequestFact& fact) = 0;
  virtual void OnCallAnswered(const ResponseFact& /*fact*/, std::vector<Verdict>& /*verdicts*/) {}
  // What a runtime says; ExecutionEvent has the kinds. Comes before the facts of the bytes it is
  // about.
  virtual void OnExecution(const ExecutionEvent& /*event*/, std::vector<Verdict>& /*verdicts*/) {}
  // Any bytes that came in, before what they mean.
  virtual void OnReceived(const DataEvent& /*event*/) {}
  virtual void OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) = 0;
  // Processes of which it would link more if probes on demand were there; each once.
  virtual std::vector<uint32_t> TakeDemands() { return {}; }
};

}  // namespace sonde::trace
