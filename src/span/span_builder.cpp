// SPDX-License-Identifier: Apache-2.0
#include "span/span_builder.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "sonde/base/clock.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/address_text.h"
#include "span/attribute_writer.h"
#include "span/disclosure.h"
#include "span/http_status.h"
#include "span/rpc_span.h"

namespace sonde::span {
namespace {

// Attributes of a usual server span, so that the vector grows once.
constexpr size_t kUsualAttributes = 20;

std::string_view SourceName(Source source) {
  switch (source) {
    case Source::kSocket:
      return "socket";
    case Source::kOpenSsl:
      return "openssl";
    case Source::kBoringSsl:
      return "boringssl";
    case Source::kGnuTls:
      return "gnutls";
    case Source::kGoTls:
      return "go_tls";
    case Source::kRustls:
      return "rustls";
  }
  return "unknown";
}

std::string_view UnfinishedName(Unfinished unfinished) {
  switch (unfinished) {
    case Unfinished::kConnectionClosed:
      return "connection_closed";
    case Unfinished::kShutdown:
      return "shutdown";
    case Unfinished::kTimeout:
      return "timeout";
    case Unfinished::kNo:
      break;
  }
  return {};
}

// "request_head,response_body": what was not fully seen, in the order of the bits.
std::string TruncatedNames(uint32_t bits) {
  constexpr std::array names = std::to_array<std::pair<Truncated, std::string_view>>({
      {kTruncatedRequestHead, "request_head"},
      {kTruncatedResponseHead, "response_head"},
      {kTruncatedRequestBody, "request_body"},
      {kTruncatedResponseBody, "response_body"},
      {kTruncatedRequestUnseen, "request"},
      {kTruncatedResponseUnseen, "response"},
  });
  std::string text;
  for (const auto& [bit, name] : names) {
    if ((bits & bit) == 0) continue;
    if (!text.empty()) text.append(",");
    text.append(name);
  }
  return text;
}

void AddNetwork(const ConnectionInfo& connection, AttributeWriter& writer) {
  const AddressText peer(connection.remote);
  if (!peer.view().empty()) {
    writer.Text("network.peer.address", peer.view());
    if (connection.remote.port != 0) writer.Number("network.peer.port", connection.remote.port);
  }
  const AddressText local(connection.local);
  if (!local.view().empty()) {
    writer.Text("network.local.address", local.view());
    if (connection.local.port != 0) writer.Number("network.local.port", connection.local.port);
  }
  // Opt-in, and said only where it is not what everybody expects of HTTP.
  if (connection.transport == Transport::kUnix) writer.Text("network.transport", "unix");
}

void AddOwn(const Exchange& exchange, AttributeWriter& writer) {
  writer.Text("sonde.capture.source", SourceName(exchange.source));
  if (exchange.truncated != kTruncatedNothing) {
    writer.Text("sonde.capture.truncated", TruncatedNames(exchange.truncated));
  }
  if (exchange.unfinished != Unfinished::kNo) {
    writer.Text("sonde.unfinished", UnfinishedName(exchange.unfinished));
  }
}

void SetError(std::string_view type, AttributeWriter& writer, Span& span) {
  if (type.empty()) return;
  writer.Text("error.type", type);
  span.status = SpanStatus::kError;
}

void SetTimes(const Exchange& exchange, const WallClock& clock, Span& span) {
  const MessageSpan& request = exchange.request;
  const MessageSpan& response = exchange.response;
  const uint64_t start = request.seen ? request.first_mono_ns : response.first_mono_ns;
  const uint64_t end = std::max(
      {start, request.seen ? request.last_mono_ns : 0, response.seen ? response.last_mono_ns : 0});
  span.start_wall_ns = clock.ToWall(start);
  span.end_wall_ns = clock.ToWall(end);
  span.end_mono_ns = end;
}

}  // namespace

Result<std::unique_ptr<SpanBuilder>> SpanBuilder::Create(const RouteOptions& routes,
                                                         const RedactionOptions& redaction,
                                                         const AttributeLimits& limits,
                                                         MetricRegistry& metrics) {
  return std::unique_ptr<SpanBuilder>(new SpanBuilder(routes, redaction, limits, metrics));
}

SpanBuilder::SpanBuilder(const RouteOptions& routes, const RedactionOptions& redaction,
                         const AttributeLimits& limits, MetricRegistry& metrics)
    : limits_(limits), http_(routes, metrics), disclosure_(redaction) {}

const Disclosure& SpanBuilder::DisclosureOf(const std::shared_ptr<const RuleSettings>& rule) {
  if (rule == nullptr) return disclosure_;
  const std::optional<RedactionOptions>& redaction = rule->redaction;
  return redaction ? of_rules_.try_emplace(rule, *redaction).first->second : disclosure_;
}

Span SpanBuilder::Build(const Exchange& exchange, const Resource& resource,
                        const WallClock& clock) {
  Span span;
  span.kind = exchange.role == Role::kServer ? SpanKind::kServer : SpanKind::kClient;
  span.tgid = exchange.tgid();
  span.tid = exchange.request.first_by.tid;
  span.answer_tid = exchange.response.first_by.tid;
  span.protocol = exchange.protocol;
  SetTimes(exchange, clock, span);
  span.attributes.reserve(std::min(kUsualAttributes, limits_.count));
  AttributeWriter writer(span.attributes, limits_);
  const Disclosure& disclosure = DisclosureOf(resource.rule);
  if (const auto* http = std::get_if<HttpExchange>(&exchange.detail)) {
    SetError(HttpErrorType(exchange, *http), writer, span);
    http_.Describe(exchange, *http, {resource.service_name, disclosure}, writer, span);
  } else if (const auto* rpc = std::get_if<RpcExchange>(&exchange.detail)) {
    SetError(RpcErrorType(exchange, *rpc), writer, span);
    DescribeRpc(exchange, *rpc, writer, span);
  } else {
    span.name = exchange.protocol;
  }
  AddOwn(exchange, writer);
  AddNetwork(*exchange.connection, writer);
  if (const HttpExchange* http = exchange.http()) {
    disclosure.baggage.Describe(http->request.headers, writer);
  }
  return span;
}

}  // namespace sonde::span
