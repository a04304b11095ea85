// SPDX-License-Identifier: Apache-2.0
#include "span/rpc_span.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/address_text.h"
#include "span/attribute_writer.h"
#include "span/http_status.h"
#include "span/request_headers.h"
#include "span/url.h"

namespace sonde::span {
namespace {

// By code, as grpc/statuscodes.md numbers them.
constexpr auto kStatusNames = std::to_array<std::string_view>(
    {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
     "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
     "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"});

bool IsServerFault(uint32_t code) {
  constexpr std::array kFaults = {2U, 4U, 12U, 13U, 14U, 15U};
  return std::ranges::find(kFaults, code) != kFaults.end();
}

// OpenTelemetry has no attributes for these (1.45: metrics only).
void AddMessages(const RpcExchange& rpc, AttributeWriter& writer) {
  const auto number = [&](std::string_view key, uint64_t value) {
    writer.Number(key, static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX)));
  };
  if (rpc.request_messages) {
    number("sonde.rpc.request.message_count", rpc.request_messages->count);
    number("sonde.rpc.request.size", rpc.request_messages->bytes);
  }
  if (rpc.response_messages) {
    number("sonde.rpc.response.message_count", rpc.response_messages->count);
    number("sonde.rpc.response.size", rpc.response_messages->bytes);
  }
  constexpr uint64_t kMillisecond = 1'000'000;
  if (rpc.timeout_ns != 0) {
    number("sonde.rpc.timeout_ms", std::max<uint64_t>(1, rpc.timeout_ns / kMillisecond));
  }
}

void AddAddresses(const Exchange& exchange, std::string_view authority, AttributeWriter& writer) {
  const bool server = exchange.role == Role::kServer;
  const ConnectionInfo& connection = *exchange.connection;
  const Endpoint& server_end = server ? connection.local : connection.remote;
  const Authority parsed = ParseAuthority(authority);
  const AddressText address(server_end);
  const std::string_view host = parsed.host.empty() ? address.view() : parsed.host;
  if (!host.empty()) writer.Text("server.address", host);
  const uint16_t port = parsed.port != 0 ? parsed.port : server_end.port;
  if (port != 0) writer.Number("server.port", port);
  if (!server) return;
  const AddressText client(connection.remote);
  if (client.view().empty()) return;
  writer.Text("client.address", client.view());
  if (connection.remote.port != 0) writer.Number("client.port", connection.remote.port);
}

}  // namespace

std::string GrpcStatusName(uint32_t code) {
  return code < kStatusNames.size() ? std::string(kStatusNames[code]) : std::to_string(code);
}

std::string RpcErrorType(const Exchange& exchange, const RpcExchange& rpc) {
  if (!rpc.has_status) return HttpErrorType(exchange, rpc.http);
  const bool fault = exchange.role == Role::kServer ? IsServerFault(rpc.status) || rpc.http.reset
                                                    : rpc.status != 0;
  return fault ? GrpcStatusName(rpc.status) : "";
}

void DescribeRpc(const Exchange& exchange, const RpcExchange& rpc, AttributeWriter& writer,
                 Span& span) {
  writer.Text("rpc.system.name", "grpc");
  if (rpc.method.empty()) {
    span.name = "grpc";  // the conventions' name where there is no method: the system
  } else {
    writer.Text("rpc.method", rpc.method);
    span.name = rpc.method;
  }
  if (rpc.has_status) writer.Text("rpc.response.status_code", GrpcStatusName(rpc.status));
  if (span.status == SpanStatus::kError) span.status_message = rpc.message;
  AddAddresses(exchange, CollectHeaders(rpc.http.request.headers).host, writer);
  AddMessages(rpc, writer);
}

}  // namespace sonde::span
