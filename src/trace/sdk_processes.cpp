// SPDX-License-Identifier: Apache-2.0
#include "trace/sdk_processes.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/request.h"

namespace sonde::trace {
namespace {

std::string_view PathOf(const HttpRequest& request) {
  const std::string_view target = request.target;
  return target.substr(0, target.find_first_of("?#"));
}

bool HasHeader(const HttpRequest& request, std::string_view name) {
  return std::ranges::any_of(request.headers, [&](const HttpHeader& h) { return h.name == name; });
}

// The types that the formats are sent in; an application's own /v1/traces seldom has them.
bool HasTypeOf(const HttpRequest& request, std::string_view a, std::string_view b) {
  return std::ranges::any_of(request.headers, [&](const HttpHeader& h) {
    return h.name == "content-type" && (h.value.starts_with(a) || h.value.starts_with(b));
  });
}

bool EndsWithSignal(std::string_view path) {
  return path.ends_with("/v1/traces") || path.ends_with("/v1/metrics") ||
         path.ends_with("/v1/logs");
}

}  // namespace

bool IsTelemetryExport(const HttpRequest& request) {
  const std::string_view path = PathOf(request);
  if (request.method == "POST") {
    if (path.starts_with("/opentelemetry.proto.collector.")) return path.ends_with("/Export");
    if (EndsWithSignal(path))
      return HasTypeOf(request, "application/x-protobuf", "application/json");
    if (path.ends_with("/api/v2/spans"))
      return HasTypeOf(request, "application/json", "application/x-protobuf");
  }
  return path.starts_with("/v0.") && path.ends_with("/traces") &&
         HasHeader(request, "datadog-meta-tracer-version");
}

SdkProcesses::Process* SdkProcesses::At(uint32_t tgid) {
  const auto found = processes_.find(tgid);
  if (found != processes_.end()) return &found->second;
  if (tgid == 0 || processes_.size() >= kMaxProcesses) return nullptr;  // packets have no process
  return &processes_[tgid];
}

bool SdkProcesses::Recognised(uint32_t tgid) const {
  const auto found = processes_.find(tgid);
  if (found == processes_.end()) return false;
  const Process& process = found->second;
  return process.makes_spans || (process.exports && !process.receives_exports);
}

void SdkProcesses::JudgeCall(Request& call, const HttpRequest* http, Origin origin) {
  if (policy_ == SdkPolicy::kDuplicate) return;
  const uint32_t tgid = call.by.tgid;
  call.telemetry = http != nullptr && IsTelemetryExport(*http);
  if (call.telemetry) {
    if (Process* process = At(tgid)) process->exports = true;
  } else if (origin == Origin::kOwnInTrace) {
    if (Process* process = At(tgid)) process->makes_spans = true;
  }
  call.left_out = call.telemetry || origin != Origin::kNone ||
                  (policy_ == SdkPolicy::kSkip && Recognised(tgid));
}

void SdkProcesses::ReadServer(Request& server, const HttpRequest* http) {
  if (policy_ == SdkPolicy::kDuplicate || http == nullptr) return;
  server.is_http = true;
  if (IsTelemetryExport(*http)) {
    if (Process* process = At(server.by.tgid)) process->receives_exports = true;
    return;  // whoever selects a receiver wants to see it work
  }
  // What has no header is judged at its end: only then it is known whether a call joined it.
  if (server.header != nullptr) JudgeServer(server);
}

void SdkProcesses::JudgeServer(Request& server) const {
  if (server.left_out || server.has_heirs || !Recognised(server.by.tgid)) return;
  if (policy_ == SdkPolicy::kSkip) {
    server.left_out = true;
    return;
  }
  // The SDK's own span has the same header for a parent. Without a header the SDK began a trace of
  // its own: then the span that a connection joins to its caller is the only one that goes on.
  const bool joined = server.method == LinkMethod::kConnection;
  server.left_out = server.is_http && (server.header != nullptr || !joined);
}

}  // namespace sonde::trace
