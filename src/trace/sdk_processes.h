// SPDX-License-Identifier: Apache-2.0
// Processes that make spans of their own: an SDK is in them, or they are proxies that trace. Known
// from what they send, never from their memory or name; so not before their first call or export.
//
//   what the process sends                                   what it shows
//   a call whose context did not come in                     a span of this call exists already
//   ... and that goes on with the trace of an open request   so does one of that request: an SDK
//   an export of spans that it did not receive itself        an SDK
//
// A context that came in and goes out unchanged shows nothing (a proxy, an application that copies
// headers): IncomingContexts.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>

#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "trace/request.h"

namespace sonde::trace {

// Whether the request hands over telemetry: OTLP over HTTP or gRPC, Zipkin's v2 API, Datadog's.
bool IsTelemetryExport(const HttpRequest& request);

// Drain thread. Memory: one entry per process that makes, sends or receives telemetry.
class SdkProcesses {
 public:
  explicit SdkProcesses(SdkPolicy policy) : policy_(policy) {}

  // How a call's context relates to what came in.
  enum class Origin : uint8_t {
    kNone,       // it has none, or one that came in
    kOwn,        // it was made here
    kOwnInTrace  // ... in the trace of an open request
  };

  // Each sets request.left_out. At the start of a call:
  void JudgeCall(Request& call, const HttpRequest* http, Origin origin);
  // At the start of a server request, and whenever more may be known, up to its end.
  void ReadServer(Request& server, const HttpRequest* http);
  void JudgeServer(Request& server) const;

  bool Recognised(uint32_t tgid) const;
  void OnProcessExit(uint32_t tgid) { processes_.erase(tgid); }

  static constexpr size_t kMaxProcesses = 100'000;  // beyond: nobody new is recognised

 private:
  struct Process {
    bool makes_spans = false;       // it went on with a trace that came in
    bool exports = false;           // it sent telemetry
    bool receives_exports = false;  // so what it sends may be others': a Collector, a proxy
  };
  Process* At(uint32_t tgid);

  SdkPolicy policy_;
  absl::flat_hash_map<uint32_t, Process> processes_;
};

}  // namespace sonde::trace
