// SPDX-License-Identifier: Apache-2.0
#include "trace/family.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "trace/link_method.h"
#include "trace/propagation/propagator.h"
#include "trace/request.h"

namespace sonde::trace {
namespace {

// From a parent that is left out a child inherits what that one has. If the parent is a call, its
// other end is certain, and what counts is how the call's own parent is known.
void InheritLineage(Request& child, Request& parent) {
  child.lineage = parent.lineage;
  if (parent.left_out) {
    if (parent.role == Role::kClient || !parent.lineage.parent_span_id.valid())
      child.method = parent.method;
    return;
  }
  parent.has_heirs = true;
  child.lineage.parent_span_id = parent.span_id;
  child.lineage.parent_is_remote = false;
}

void Unlink(Request& child) {
  Request*& before = child.previous_sibling == nullptr ? child.parent->first_child
                                                       : child.previous_sibling->next_sibling;
  before = child.next_sibling;
  if (child.next_sibling != nullptr) child.next_sibling->previous_sibling = child.previous_sibling;
  child.parent = child.previous_sibling = child.next_sibling = nullptr;
}

void ChooseTrace(Request& request, IdGenerator& ids) {
  if (request.header == nullptr || !request.header->names_a_trace()) {
    request.lineage = {};
    request.lineage.trace_id = ids.NewTraceId();
    if (request.header != nullptr) {  // "deny" without a trace
      request.lineage.flags = 0;
      request.lineage.trace_from_header = true;
    }
    return;
  }
  const HeaderContext& header = *request.header;
  request.method = header.format;
  request.lineage = {.trace_id = header.trace_id,
                     .parent_span_id = header.span_id,
                     .flags = header.flags,
                     .parent_is_remote = true,
                     .trace_from_header = !header.deferred,
                     .tracestate = header.tracestate,
                     .root_tgid = 0};
}

// For a request whose parent is not on this host, or not known.
void StartLineage(Request& request, IdGenerator& ids) {
  ChooseTrace(request, ids);
  request.lineage.root_tgid = request.by.tgid;
}

}  // namespace

bool Attach(Request& child, Request& parent, LinkMethod method) {
  for (const Request* ancestor = &parent; ancestor != nullptr; ancestor = ancestor->parent) {
    if (ancestor == &child) return false;
  }
  child.method = method;
  if (parent.resolved) {
    InheritLineage(child, parent);
    return true;
  }
  child.parent = &parent;
  child.next_sibling = parent.first_child;
  if (parent.first_child != nullptr) parent.first_child->previous_sibling = &child;
  parent.first_child = &child;
  return true;
}

void Detach(Request& child) {
  if (child.parent != nullptr) Unlink(child);
  child.method = LinkMethod::kNone;
  child.lineage = {};
}

void Decide(Request& request, IdGenerator& ids, std::vector<Request*>& resolved) {
  if (request.decided) return;
  request.decided = true;
  if (request.parent != nullptr) return;  // resolved with its parent
  if (request.method == LinkMethod::kNone) StartLineage(request, ids);
  request.resolved = true;
  size_t next = resolved.size();
  resolved.push_back(&request);
  for (; next < resolved.size(); ++next) {
    Request& parent = *resolved[next];
    while (parent.first_child != nullptr) {
      Request& child = *parent.first_child;
      Unlink(child);
      InheritLineage(child, parent);
      if (!child.decided) continue;  // a claim that is not final: resolved when it is decided
      child.resolved = true;
      resolved.push_back(&child);
    }
  }
}

void WriteLineage(Request& request, Span& span) {
  Lineage& lineage = request.lineage;
  span.trace_id = lineage.trace_id;
  span.span_id = request.span_id;
  span.parent_span_id = lineage.parent_span_id;
  span.trace_flags = lineage.flags;
  span.parent_is_remote = lineage.parent_is_remote;
  span.trace_from_header = lineage.trace_from_header;
  span.tracestate = std::move(lineage.tracestate);
  span.root_tgid = lineage.root_tgid;
  if (request.method == LinkMethod::kNone) return;
  span.attributes.push_back({"sonde.link.method", std::string(LinkMethodName(request.method))});
}

}  // namespace sonde::trace
