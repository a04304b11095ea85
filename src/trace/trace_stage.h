// SPDX-License-Identifier: Apache-2.0
// The trace stage: gives every span its trace id, span id and parent.
//
// Evidence, strongest first: the same message seen at both ends of a connection (`connection`), a
// context in the headers
// (`traceparent` ...), rules about what happened inside the process (`thread` ...). A request that
// waits for nothing goes on in the call that ended it; else it is held until its local root is
// settled, within LinkingOptions.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/base/memory_level.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/span_factory.h"
#include "trace/hand_offs.h"
#include "trace/hold_list.h"
#include "trace/incoming_contexts.h"
#include "trace/join_index.h"
#include "trace/link_rule.h"
#include "trace/link_status.h"
#include "trace/propagation/propagator.h"
#include "trace/request.h"
#include "trace/request_table.h"
#include "trace/sdk_processes.h"
#include "trace/trace_metrics.h"

namespace sonde::trace {

// Drain thread only. Every exchange that comes in goes out as exactly one span, at the latest at
// Shutdown().
class TraceStage : public ExchangeSink {
 public:
  // `factory`, `sink` and `metrics` outlive the stage.
  static Result<std::unique_ptr<TraceStage>> Create(const LinkingOptions& options,
                                                    SpanFactory& factory, SpanSink& sink,
                                                    IdGenerator ids, MetricRegistry& metrics);

  void OnRequestStart(const RequestStart& start) override;
  void OnResponseStart(ExchangeId id, const MessageSpan& response) override;
  void OnExchange(const Exchange& exchange) override;

  // Time up to which the kernel's records have been read.
  void OnTick(uint64_t mono_ns);
  // Above kFine an eighth of the spans may be held; the oldest go on with what is certain.
  void SetMemoryLevel(MemoryLevel level);
  void OnProcessExit(uint32_t tgid);
  // For the rules: before OnRequestStart and the like of the bytes they are about.
  void OnExecution(const ExecutionEvent& event);
  void OnReceived(const DataEvent& event);
  // Processes that the rules want probed further, since the last time; each once.
  std::vector<uint32_t> TakeDemands();
  const LinkStatus& status() const { return status_; }
  // Sends on everything that is held. The protocol stage has closed its open exchanges before.
  void Shutdown();

  // A client's record of a send may come after the server's whole answer: on a preemptible kernel
  // the wake-up of the server preempts the client before its call returns. A server request that
  // found no client waits so long for it, if any client was seen on this host at all.
  static constexpr uint64_t kLateClientNs = 20'000'000;
  // Requests known at once, far above what the protocol stage holds open; beyond, parents come from
  // headers only.
  static constexpr size_t kMaxTracked = 100'000;

 private:
  TraceStage(const LinkingOptions& options, Propagators propagators, SpanFactory& factory,
             SpanSink& sink, IdGenerator ids, MetricRegistry& metrics);

  void StartServer(Request& request, const RequestFact& fact, const HttpRequest* http);
  void StartClient(Request& request, const RequestFact& fact, const HttpRequest* http);
  SdkProcesses::Origin OriginOf(const Request& call) const;
  void ReadHeader(const HttpRequest* http, Request& request) const;
  bool FollowHeader(Request& call);
  void AskRules(Request& call, const RequestFact& fact);
  void Join(Request& server, Request& client);
  void BoundByOtherEnd(const Exchange& exchange, const Request& request, Span& span);
  void FinishServer(Request& request, const Exchange& exchange);
  void FinishClient(Request& request);
  void PassThrough(const Exchange& exchange, Span&& span);

  template <typename Tell>
  void TellRules(Tell tell);
  void Apply(const Verdict& verdict, size_t rule);
  void Judge(Request& call);
  void Guess(Request& call);
  void CountCall(const Request& call);
  void PublishStatus(uint64_t mono_ns);
  void DecideAndEmit(Request& request);
  void Hold(Request& request, Span&& span);
  void ReleaseEarly(Request& request, EarlyRelease reason);
  void Complete(Request& request, Span& span);
  void Emit(Request& request);

  uint64_t hold_ns_;
  const size_t max_held_configured_;
  size_t max_held_;
  Propagators propagators_;
  SpanFactory& factory_;
  SpanSink& sink_;
  IdGenerator ids_;
  TraceMetrics metrics_;
  std::vector<std::unique_ptr<LinkRule>> rules_;
  HandOffs hand_offs_;

  RequestTable table_;
  JoinIndex joins_;
  IncomingContexts incoming_;
  SdkProcesses sdks_;
  HoldList late_clients_;  // server requests that may yet meet their client
  HoldList held_;          // everything else that waits
  LinkStatus status_;
  uint64_t published_ns_ = 0;
  uint64_t now_ns_ = 0;
  bool seen_client_ = false;
  std::vector<Verdict> verdicts_;   // scratch of TellRules
  std::vector<Request*> resolved_;  // scratch of DecideAndEmit
};

}  // namespace sonde::trace
