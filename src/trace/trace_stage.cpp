// SPDX-License-Identifier: Apache-2.0
#include "trace/trace_stage.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/base/memory_level.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/span_factory.h"
#include "trace/family.h"
#include "trace/incoming_contexts.h"
#include "trace/join_key.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"
#include "trace/link_status.h"
#include "trace/propagation/propagator.h"
#include "trace/request.h"
#include "trace/request_id_rule.h"
#include "trace/rules.h"
#include "trace/sdk_processes.h"
#include "trace/trace_metrics.h"

namespace sonde::trace {

Result<std::unique_ptr<TraceStage>> TraceStage::Create(const LinkingOptions& options,
                                                       SpanFactory& factory, SpanSink& sink,
                                                       IdGenerator ids, MetricRegistry& metrics) {
  auto propagators = Propagators::Create(options.propagators);
  if (!propagators.ok()) return propagators.status();
  return std::unique_ptr<TraceStage>(
      new TraceStage(options, *std::move(propagators), factory, sink, ids, metrics));
}

TraceStage::TraceStage(const LinkingOptions& options, Propagators propagators, SpanFactory& factory,
                       SpanSink& sink, IdGenerator ids, MetricRegistry& metrics)
    : hold_ns_(static_cast<uint64_t>(std::chrono::nanoseconds(options.hold).count())),
      max_held_configured_(options.max_held_spans),
      max_held_(options.max_held_spans),
      propagators_(std::move(propagators)),
      factory_(factory),
      sink_(sink),
      ids_(ids),
      metrics_(metrics),
      sdks_(options.sdk_processes) {
  rules_ = MakeRules(options.guesses, metrics);
}

void TraceStage::OnRequestStart(const RequestStart& start) {
  now_ns_ = std::max(now_ns_, start.request.first_mono_ns);
  if (table_.size() >= kMaxTracked || table_.Find(start.id) != nullptr) {
    metrics_.CountUntracked();
    return;
  }
  Request& request = table_.Add(start.id);
  request.role = start.role;
  request.connection = start.connection->id;
  request.span_id = ids_.NewSpanId();
  request.start_ns = start.request.first_mono_ns;
  request.by = start.request.last_by;
  request.key = MakeJoinKey(start);
  ReadHeader(start.http, request);
  RequestFact fact{.id = start.id,
                   .connection = start.connection->id,
                   .first_by = start.request.first_by,
                   .last_by = start.request.last_by,
                   .mono_ns = start.request.first_mono_ns,
                   .plain_text = start.connection->plain_text,
                   .stream = start.stream,
                   .request_id = start.http == nullptr ? 0 : RequestIdRule::IdOf(*start.http)};
  if (start.role == Role::kServer) {
    hand_offs_.OnRequestRead(fact.last_by);
    StartServer(request, fact, start.http);
  } else {
    fact.work = hand_offs_.WorkOf(fact.first_by);
    fact.first_by = hand_offs_.Caller(fact.first_by);
    fact.last_by = hand_offs_.Caller(fact.last_by);
    StartClient(request, fact, start.http);
  }
}

void TraceStage::ReadHeader(const HttpRequest* http, Request& request) const {
  if (http == nullptr) return;
  auto context = propagators_.Extract(http->headers);
  if (context) request.header = std::make_unique<HeaderContext>(*std::move(context));
}

void TraceStage::StartServer(Request& request, const RequestFact& fact, const HttpRequest* http) {
  sdks_.ReadServer(request, http);
  if (request.header != nullptr && request.header->names_a_trace()) incoming_.Add(request);
  // The very first client may be seen after its server: a send is told when it is over.
  if (Request* client = joins_.TakeOther(request)) {
    Join(request, *client);
  } else {
    joins_.Add(request);
  }
  TellRules([&](LinkRule& rule) { rule.OnRequestRead(fact, verdicts_); });
}

// Where the context of a call comes from, for SdkProcesses.
SdkProcesses::Origin TraceStage::OriginOf(const Request& call) const {
  using Origin = SdkProcesses::Origin;
  const uint32_t tgid = call.by.tgid;
  if (call.header == nullptr || !call.header->names_a_trace()) return Origin::kNone;
  if (incoming_.Find(tgid, *call.header).count > 0 || incoming_.CameIn(tgid, *call.header))
    return Origin::kNone;
  return incoming_.HasTrace(tgid, call.header->trace_id) ? Origin::kOwnInTrace : Origin::kOwn;
}

void TraceStage::StartClient(Request& request, const RequestFact& fact, const HttpRequest* http) {
  seen_client_ = true;
  sdks_.JudgeCall(request, http, OriginOf(request));
  if (FollowHeader(request)) {
    DecideAndEmit(request);
  } else {
    AskRules(request, fact);
  }
  if (Request* server = joins_.TakeOther(request)) {
    Join(*server, request);
  } else {
    joins_.Add(request);
  }
}

// True if the header alone decides. The context of exactly one open incoming request, passed on
// unchanged: that request is the parent. A context that did not come in: somebody in the process
// made it, an SDK, and its word is final.
bool TraceStage::FollowHeader(Request& call) {
  if (call.header == nullptr || !call.header->names_a_trace()) return false;
  const IncomingContexts::Match match = incoming_.Find(call.by.tgid, *call.header);
  if (match.count == 0) return true;
  return match.only != nullptr && Attach(call, *match.only, call.header->format);
}

void TraceStage::AskRules(Request& call, const RequestFact& fact) {
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i]->OnCallSent(fact)) call.waiting_for_rules |= 1U << i;
  }
  if (call.waiting_for_rules == 0) return DecideAndEmit(call);
  if (ProcessLinks* links = status_.Of(call.by.tgid)) {
    ++links->held;
    call.was_held = true;
  }
}

void TraceStage::Join(Request& server, Request& client) {
  client.joined = server.id;
  if (client.start_ns > server.start_ns) {
    if (client.span != nullptr) client.span->start_wall_ns -= client.start_ns - server.start_ns;
    client.start_ns = server.start_ns;
  }
  if (Attach(server, client, LinkMethod::kConnection)) DecideAndEmit(server);
}

void TraceStage::OnResponseStart(ExchangeId id, const MessageSpan& response) {
  now_ns_ = std::max(now_ns_, response.first_mono_ns);
  const Request* request = table_.Find(id);
  if (request == nullptr) return;
  ResponseFact fact{.id = id,
                    .connection = request->connection,
                    .by = response.first_by,
                    .mono_ns = response.first_mono_ns};
  const bool server = request->role == Role::kServer;
  if (server) {
    fact.work = hand_offs_.WorkOf(fact.by);
    fact.left_by = hand_offs_.LeaverOf(fact.by);
    hand_offs_.OnAnswerStarted(fact.by);
  }
  TellRules([&](LinkRule& rule) {
    server ? rule.OnAnswerStarted(fact, verdicts_) : rule.OnCallAnswered(fact, verdicts_);
  });
}

void TraceStage::OnExchange(const Exchange& exchange) {
  Span span = factory_.Build(exchange);
  now_ns_ = std::max(now_ns_, span.end_mono_ns);
  // It waited until now for an end that did not come.
  if (exchange.unfinished != Unfinished::kNo) {
    span.end_wall_ns += now_ns_ - span.end_mono_ns;
    span.end_mono_ns = now_ns_;
  }
  Request* request = table_.Find(exchange.id);
  if (request == nullptr) {
    PassThrough(exchange, std::move(span));
    return;
  }
  BoundByOtherEnd(exchange, *request, span);
  request->finished = true;
  request->end_ns = span.end_mono_ns;
  if (request->role == Role::kServer) {
    FinishServer(*request, exchange);
  } else {
    FinishClient(*request);
  }
  if (!request->resolved) {
    Hold(*request, std::move(span));
    return;
  }
  Complete(*request, span);
  table_.Erase(*request);
}

// The kernel stamps a call when it returns, and what it sent may have been received before: a
// request was sent when it was read, an answer when the client had all of it, at the latest.
void TraceStage::BoundByOtherEnd(const Exchange& exchange, const Request& request, Span& span) {
  const uint64_t stamped_ns = exchange.request.first_mono_ns;
  if (exchange.request.seen && request.start_ns < stamped_ns) {
    span.start_wall_ns -= stamped_ns - request.start_ns;
  }
  if (span.end_mono_ns > request.latest_end_ns && request.latest_end_ns >= request.start_ns) {
    span.end_wall_ns -= span.end_mono_ns - request.latest_end_ns;
    span.end_mono_ns = request.latest_end_ns;
  }
  if (request.role == Role::kServer || exchange.unfinished != Unfinished::kNo) return;
  if (Request* server = table_.Find(request.joined)) server->latest_end_ns = span.end_mono_ns;
}

// An exchange that was not followed: what its own header says, else a root.
void TraceStage::PassThrough(const Exchange& exchange, Span&& span) {
  Request request;
  request.span_id = ids_.NewSpanId();
  const HttpExchange* http = exchange.http();
  if (exchange.request.seen && http != nullptr) ReadHeader(&http->request, request);
  resolved_.clear();
  Decide(request, ids_, resolved_);
  Complete(request, span);
}

void TraceStage::FinishServer(Request& request, const Exchange& exchange) {
  if (request.header != nullptr) incoming_.Remove(request);
  if (request.header != nullptr || request.decided) sdks_.JudgeServer(request);
  const bool may_meet_client = request.indexed && seen_client_;
  if (!may_meet_client) DecideAndEmit(request);
  const EndFact fact{.id = request.id,
                     .requested_by = request.by,
                     .complete = exchange.unfinished == Unfinished::kNo && exchange.response.seen};
  TellRules([&](LinkRule& rule) { rule.OnRequestEnded(fact, verdicts_); });
}

void TraceStage::FinishClient(Request& request) {
  joins_.Remove(request);
  if (request.decided || request.waiting_for_rules != 0) return;
  Judge(request);
  DecideAndEmit(request);
}

template <typename Tell>
void TraceStage::TellRules(Tell tell) {
  for (size_t i = 0; i < rules_.size(); ++i) {
    verdicts_.clear();
    tell(*rules_[i]);
    for (const Verdict& verdict : verdicts_) Apply(verdict, i);
  }
}

void TraceStage::Apply(const Verdict& verdict, size_t rule) {
  Request* call = table_.Find(verdict.call);
  if (call == nullptr || call->decided) return;  // released early
  call->waiting_for_rules &= ~(1U << rule);
  Request* server = verdict.server == 0 ? nullptr : table_.Find(verdict.server);
  if (server != nullptr && verdict.confidence < 1) {
    call->guess = server->id;
    call->confidence = verdict.confidence;
  } else if (server != nullptr && call->claimed_by == 0) {
    if (Attach(*call, *server, rules_[rule]->method())) {
      call->claimed_by = server->id;
      call->claimant_start_ns = server->start_ns;
      call->claimant_end_ns = server->end_ns;
    }
  } else if (server != nullptr && call->claimed_by != server->id) {
    call->disputed = true;
  }
  if (!call->finished || call->waiting_for_rules != 0) return;
  Judge(*call);
  DecideAndEmit(*call);
}

// What the rules said so far stands if they agree and the call lies inside the request that is said
// to have made it.
void TraceStage::Judge(Request& call) {
  if (call.claimed_by == 0) return;
  const bool contained = call.finished && call.start_ns >= call.claimant_start_ns &&
                         call.end_ns <= call.claimant_end_ns;
  if (call.disputed) metrics_.CountAmbiguous();
  if (!call.disputed && contained) return;
  Detach(call);
  if (ProcessLinks* links = status_.Of(call.by.tgid)) ++links->refused;
}

// A likely parent is a link of the span, if nothing certain was found.
void TraceStage::Guess(Request& call) {
  if (call.guess == 0 || call.method != LinkMethod::kNone || call.span == nullptr) return;
  const Request* server = table_.Find(call.guess);
  if (server == nullptr || !server->resolved || call.start_ns < server->start_ns ||
      call.end_ns > server->end_ns) {
    return;
  }
  call.span->links.push_back({.trace_id = server->lineage.trace_id,
                              .span_id = server->span_id,
                              .attributes = {{"sonde.link.confidence", call.confidence}}});
}

void TraceStage::CountCall(const Request& call) {
  ProcessLinks* links = status_.Of(call.by.tgid);
  if (links == nullptr) return;
  links->runtime = call.by.runtime;
  if (call.method == LinkMethod::kNone) {
    ++links->unlinked;
  } else {
    ++links->linked.at(static_cast<size_t>(call.method));
  }
  if (call.was_held && links->held > 0) --links->held;
}

void TraceStage::PublishStatus(uint64_t mono_ns) {
  constexpr uint64_t kPeriodNs = 1'000'000'000;
  if (mono_ns < published_ns_ + kPeriodNs) return;
  published_ns_ = mono_ns;
  status_.ForEach([this](ProcessLinks& links) {
    links.active.clear();
    links.closed.clear();
    for (const auto& rule : rules_) {
      if (!rule->Serves(links.runtime)) continue;
      (rule->IsClosed(links.tgid) ? links.closed : links.active).push_back(rule->method());
    }
  });
  status_.Publish();
}

void TraceStage::DecideAndEmit(Request& request) {
  if (request.role == Role::kServer) {
    joins_.Remove(request);  // its parent is final, no client may come any more
    if (request.finished) sdks_.JudgeServer(request);
  } else if (!request.decided) {
    Guess(request);
    CountCall(request);
  }
  resolved_.clear();
  Decide(request, ids_, resolved_);
  if (!request.resolved && request.held_in == &late_clients_) {
    late_clients_.Remove(request);
    held_.Add(request, request.held_since_ns);
  }
  for (Request* resolved : resolved_) {
    if (resolved->span != nullptr) Emit(*resolved);
  }
}

void TraceStage::SetMemoryLevel(MemoryLevel level) {
  constexpr size_t kShare = 8;
  max_held_ = level == MemoryLevel::kFine ? max_held_configured_ : max_held_configured_ / kShare;
  while (held_.size() > max_held_) ReleaseEarly(*held_.oldest(), EarlyRelease::kLimit);
}

void TraceStage::Hold(Request& request, Span&& span) {
  request.span = std::make_unique<Span>(std::move(span));
  HoldList& list = request.decided || request.role == Role::kClient ? held_ : late_clients_;
  list.Add(request, now_ns_);
  if (held_.size() + late_clients_.size() > max_held_) {
    ReleaseEarly(held_.size() > 0 ? *held_.oldest() : *late_clients_.oldest(),
                 EarlyRelease::kLimit);
  }
  metrics_.SetHeld(held_.size() + late_clients_.size());
}

// Goes up from the request and decides by what is certain now, until its trace id is known; that
// emits it.
void TraceStage::ReleaseEarly(Request& request, EarlyRelease reason) {
  metrics_.CountEarly(reason);
  for (Request* at = &request; at != nullptr;) {
    if (!at->decided) {
      at->waiting_for_rules = 0;
      Judge(*at);
      Request* above = at->parent;
      DecideAndEmit(*at);  // ends the life of `at` if it was finished and is resolved now
      at = above;
    } else {
      at = at->parent;
    }
  }
}

void TraceStage::Complete(Request& request, Span& span) {
  if (request.left_out) {
    metrics_.CountLeftOut(request.telemetry);
    return;
  }
  WriteLineage(request, span);
  if (request.method != LinkMethod::kNone) metrics_.CountLink(request.method);
  metrics_.CountSpan(span);
  sink_.OnSpan(std::move(span));
}

void TraceStage::Emit(Request& request) {
  if (request.held_in != nullptr) request.held_in->Remove(request);
  Complete(request, *request.span);
  table_.Erase(request);
  metrics_.SetHeld(held_.size() + late_clients_.size());
}

void TraceStage::OnTick(uint64_t mono_ns) {
  now_ns_ = std::max(now_ns_, mono_ns);
  PublishStatus(mono_ns);
  while (late_clients_.size() > 0 &&
         late_clients_.oldest()->held_since_ns + kLateClientNs <= now_ns_) {
    DecideAndEmit(*late_clients_.oldest());
  }
  while (held_.size() > 0 && held_.oldest()->held_since_ns + hold_ns_ <= now_ns_) {
    ReleaseEarly(*held_.oldest(), EarlyRelease::kHold);
  }
}

void TraceStage::OnProcessExit(uint32_t tgid) {
  hand_offs_.OnProcessExit(tgid);
  TellRules([&](LinkRule& rule) { rule.OnProcessExit(tgid, verdicts_); });
  sdks_.OnProcessExit(tgid);
  status_.Forget(tgid);
}

void TraceStage::OnExecution(const ExecutionEvent& event) {
  hand_offs_.OnExecution(event);
  TellRules([&](LinkRule& rule) { rule.OnExecution(event, verdicts_); });
}

void TraceStage::OnReceived(const DataEvent& event) {
  for (const auto& rule : rules_) rule->OnReceived(event);
}

std::vector<uint32_t> TraceStage::TakeDemands() {
  std::vector<uint32_t> all;
  for (const auto& rule : rules_) {
    const std::vector<uint32_t> demands = rule->TakeDemands();
    all.insert(all.end(), demands.begin(), demands.end());
  }
  return all;
}

void TraceStage::Shutdown() {
  while (late_clients_.size() > 0) DecideAndEmit(*late_clients_.oldest());
  while (held_.size() > 0) ReleaseEarly(*held_.oldest(), EarlyRelease::kShutdown);
}

}  // namespace sonde::trace
