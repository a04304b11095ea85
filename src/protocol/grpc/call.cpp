// SPDX-License-Identifier: Apache-2.0
#include "protocol/grpc/call.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/common/length_prefixed.h"
#include "protocol/common/text.h"
#include "protocol/http2/streams.h"
#include "sonde/pipeline/exchange.h"

namespace sonde::protocol::grpc {
namespace {

// Codes of gRPC that sonde itself has to name.
constexpr uint32_t kCancelled = 1;
constexpr uint32_t kUnknown = 2;
constexpr uint32_t kPermissionDenied = 7;
constexpr uint32_t kResourceExhausted = 8;
constexpr uint32_t kUnimplemented = 12;
constexpr uint32_t kInternal = 13;
constexpr uint32_t kUnavailable = 14;
constexpr uint32_t kUnauthenticated = 16;

std::string_view Value(const std::vector<HttpHeader>& headers, std::string_view name) {
  const auto found = std::ranges::find(headers, name, &HttpHeader::name);
  return found == headers.end() ? std::string_view() : std::string_view(found->value);
}

bool NamesGrpc(const std::vector<HttpHeader>& headers) {
  return std::ranges::any_of(
      headers, [](const HttpHeader& header) { return header.name.starts_with("grpc-"); });
}

bool IsCall(const http2::OpenStream& stream, const HttpExchange& http) {
  const std::string_view request = Value(http.request.headers, "content-type");
  const std::string_view response = Value(http.response.headers, "content-type");
  if (IsGrpcContentType(request) || IsGrpcContentType(response)) return true;
  // Attached late: the content type is what is not sent again.
  const bool unknown = request.empty() && response.empty() &&
                       (stream.exchange.truncated & kTruncatedRequestHead) != 0;
  if (!unknown || http.request.method != "POST") return false;
  if (NamesGrpc(http.request.headers) || NamesGrpc(http.response.trailers)) return true;
  // A body of anything else that divides into messages of the lengths it says: one in four billion.
  return stream.request_messages.whole() && stream.response_messages.known();
}

// From the trailers, or from a response that is nothing but trailers.
std::string_view FromEnd(const HttpResponse& response, std::string_view name) {
  const std::string_view value = Value(response.trailers, name);
  return value.empty() ? Value(response.headers, name) : value;
}

std::optional<RpcMessages> Messages(const LengthPrefixedWalk& walk, bool whole) {
  if (!whole || !walk.known()) return std::nullopt;
  return RpcMessages{.count = walk.messages(), .bytes = walk.bytes()};
}

void SetStatus(const Exchange& exchange, RpcExchange& rpc) {
  const HttpResponse& response = rpc.http.response;
  if (const auto code = ParseNumber(FromEnd(response, "grpc-status"));
      code && *code <= UINT32_MAX) {
    rpc.has_status = true;
    rpc.status = static_cast<uint32_t>(*code);
    rpc.message = DecodeMessage(FromEnd(response, "grpc-message"));
  } else if (rpc.http.reset) {
    rpc.has_status = rpc.http.reset_code != kResetUnknown;
    rpc.status = rpc.has_status ? StatusOfReset(rpc.http.reset_code) : 0;
  } else if (exchange.response.seen && response.status != 0 && response.status != 200) {
    rpc.has_status = true;
    rpc.status = StatusOfHttp(response.status);
  }
}

}  // namespace

bool IsGrpcContentType(std::string_view value) {
  constexpr std::string_view kType = "application/grpc";
  if (value.size() < kType.size()) return false;
  if (!EqualsIgnoringCase(value.substr(0, kType.size()), kType)) return false;
  value.remove_prefix(kType.size());
  return value.empty() || value.front() == '+' || value.front() == ';';
}

uint64_t ParseTimeout(std::string_view value) {
  if (value.size() < 2 || value.size() > 9) return 0;
  const auto number = ParseNumber(value.substr(0, value.size() - 1));
  if (!number) return 0;
  constexpr uint64_t kSecond = 1'000'000'000;
  uint64_t unit = 0;
  switch (value.back()) {
    case 'H':
      unit = 3600 * kSecond;
      break;
    case 'M':
      unit = 60 * kSecond;
      break;
    case 'S':
      unit = kSecond;
      break;
    case 'm':
      unit = 1'000'000;
      break;
    case 'u':
      unit = 1'000;
      break;
    case 'n':
      unit = 1;
      break;
    default:
      return 0;
  }
  // Eight digits of hours are more than 64 bits of nanoseconds.
  return std::min(*number, UINT64_MAX / unit) * unit;
}

std::string DecodeMessage(std::string_view value) {
  std::string text;
  text.reserve(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '%' && i + 2 < value.size()) {
      if (const auto byte = ParseNumber(value.substr(i + 1, 2), 16)) {
        text.push_back(static_cast<char>(*byte));
        i += 2;
        continue;
      }
    }
    text.push_back(value[i]);
  }
  return text;
}

uint32_t StatusOfReset(uint32_t code) {
  switch (code) {
    case 0x7:  // REFUSED_STREAM
      return kUnavailable;
    case 0x8:  // CANCEL
      return kCancelled;
    case 0xb:  // ENHANCE_YOUR_CALM
      return kResourceExhausted;
    case 0xc:  // INADEQUATE_SECURITY
      return kPermissionDenied;
    default:
      return kInternal;
  }
}

uint32_t StatusOfHttp(uint32_t status) {
  switch (status) {
    case 400:
      return kInternal;
    case 401:
      return kUnauthenticated;
    case 403:
      return kPermissionDenied;
    case 404:
      return kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return kUnavailable;
    default:
      return kUnknown;
  }
}

void Refine(http2::OpenStream& stream) {
  Exchange& exchange = stream.exchange;
  auto* http = std::get_if<HttpExchange>(&exchange.detail);
  if (http == nullptr || !IsCall(stream, *http)) return;
  RpcExchange rpc;
  rpc.http = std::move(*http);
  rpc.method = rpc.http.request.target;
  if (rpc.method.starts_with('/')) rpc.method.erase(0, 1);
  rpc.timeout_ns = ParseTimeout(Value(rpc.http.request.headers, "grpc-timeout"));
  SetStatus(exchange, rpc);
  // A server may answer before it has read the request: what else would come is not known.
  const auto whole = [&](uint32_t lost, bool done) {
    return (exchange.truncated & lost) == 0 && (done || rpc.http.reset);
  };
  const bool request_whole = whole(kTruncatedRequestBody, stream.request_done);
  const bool response_whole = whole(kTruncatedResponseBody, stream.response_done);
  rpc.request_messages = Messages(stream.request_messages, request_whole);
  rpc.response_messages = Messages(stream.response_messages, response_whole);
  exchange.protocol = "grpc";
  exchange.detail = std::move(rpc);
}

}  // namespace sonde::protocol::grpc
