// SPDX-License-Identifier: Apache-2.0
// How a parent was found; exported as sonde.link.method.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sonde::trace {

enum class LinkMethod : uint8_t {
  kNone = 0,
  kTraceparent,
  kGrpcTraceBin,
  kB3,
  kJaeger,
  kXray,
  kDatadog,
  kOtTrace,
  kConnection,
  kThread,
  kContext,
  kGoroutine,
  kVirtualThread,
  kAsyncId,
  kWakeup,
  kTask,
  kSocket,
  kWorker,
  kRequestId,
};
inline constexpr size_t kLinkMethods = 19;

constexpr std::string_view LinkMethodName(LinkMethod method) {
  switch (method) {
    case LinkMethod::kTraceparent:
      return "traceparent";
    case LinkMethod::kGrpcTraceBin:
      return "grpc-trace-bin";
    case LinkMethod::kB3:
      return "b3";
    case LinkMethod::kJaeger:
      return "jaeger";
    case LinkMethod::kXray:
      return "xray";
    case LinkMethod::kDatadog:
      return "datadog";
    case LinkMethod::kOtTrace:
      return "ottrace";
    case LinkMethod::kConnection:
      return "connection";
    case LinkMethod::kThread:
      return "thread";
    case LinkMethod::kContext:
      return "context";
    case LinkMethod::kGoroutine:
      return "goroutine";
    case LinkMethod::kVirtualThread:
      return "virtual_thread";
    case LinkMethod::kAsyncId:
      return "async_id";
    case LinkMethod::kWakeup:
      return "wakeup";
    case LinkMethod::kTask:
      return "task";
    case LinkMethod::kSocket:
      return "socket";
    case LinkMethod::kWorker:
      return "worker";
    case LinkMethod::kRequestId:
      return "request_id";
    case LinkMethod::kNone:
      break;
  }
  return "none";
}

}  // namespace sonde::trace
