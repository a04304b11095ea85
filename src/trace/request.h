// SPDX-License-Identifier: Apache-2.0
// One request on its way through the trace stage, from its start until its span goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sonde/base/ids.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "trace/join_key.h"
#include "trace/link_method.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {

class HoldList;

// What a request passes on to its children. Known once it is resolved.
struct Lineage {
  TraceId trace_id;
  SpanId parent_span_id;  // invalid: root
  uint8_t flags = 1;
  bool parent_is_remote = false;
  bool trace_from_header = false;
  std::string tracestate;
  uint32_t root_tgid = 0;  // where the trace began on this host
};

// A request goes through three independent turns; it is emitted after all of them, in whatever
// order they come.
//
//   finished   its exchange ended and `span` is built
//   decided    its parent is final: another request, a header, or none
//   resolved   decided, and the parent is resolved: the trace id is known
//
// While the parent is another request that is not resolved, `parent` points to it and this request
// is in its list of children; afterwards the parent is not needed any more, because `lineage` has
// everything.
struct Request {
  ExchangeId id = 0;
  Role role = Role::kServer;
  ConnectionId connection = 0;
  SpanId span_id;
  uint64_t start_ns = 0;  // first byte of the request; not later than the other end read it
  uint64_t end_ns = 0;    // last byte of the response; valid if finished
  Execution by;           // moved the last byte of the request's head
  std::unique_ptr<HeaderContext> header;

  bool finished = false;
  bool decided = false;
  bool resolved = false;
  LinkMethod method = LinkMethod::kNone;
  Lineage lineage;

  Request* parent = nullptr;
  Request* first_child = nullptr;
  Request* previous_sibling = nullptr;
  Request* next_sibling = nullptr;

  // Client calls: rules that have not spoken yet (bit = index of the rule), and what the others
  // said.
  uint32_t waiting_for_rules = 0;
  ExchangeId claimed_by = 0;       // server request, 0 = none
  uint64_t claimant_start_ns = 0;  // for containment
  uint64_t claimant_end_ns = 0;
  bool disputed = false;  // rules named different requests
  bool was_held = false;  // for a rule
  ExchangeId guess = 0;   // a server request that is only likely
  double confidence = 0;  // of the guess

  uint64_t latest_end_ns =
      UINT64_MAX;         // joined server requests: when the client had the whole answer
  ExchangeId joined = 0;  // client calls: the server request at the other end, 0 = none

  // Left out: the process makes a span of its own for this, so it is not sent on. What would be its
  // children gets its parent.
  bool left_out = false;
  bool has_heirs = false;  // some child has this span as its parent: it must come
  bool telemetry = false;  // client calls: an export of telemetry
  bool is_http = false;    // server requests: what an SDK would cover

  bool indexed = false;  // in the JoinIndex under `key`
  JoinKey key;

  std::unique_ptr<Span> span;  // only while held
  HoldList* held_in = nullptr;
  Request* held_previous = nullptr;
  Request* held_next = nullptr;
  uint64_t held_since_ns = 0;
};

}  // namespace sonde::trace
