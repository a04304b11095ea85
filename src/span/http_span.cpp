// SPDX-License-Identifier: Apache-2.0
#include "span/http_span.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/address_text.h"
#include "span/attribute_writer.h"
#include "span/disclosure.h"
#include "span/forwarded.h"
#include "span/header_names.h"
#include "span/http_method.h"
#include "span/redactor.h"
#include "span/request_headers.h"
#include "span/url.h"

namespace sonde::span {
namespace {

// Where the bytes were seen tells what a request did not say.
std::string_view SchemeOf(Source source) { return source == Source::kSocket ? "http" : "https"; }

// Longer method names are no methods; a span name must not carry them (they become "HTTP" anyway),
// nor the attribute.
constexpr size_t kMaxMethodBytes = 64;

void AddServerAddress(std::string_view authority, std::string_view scheme, const Endpoint& fallback,
                      AttributeWriter& writer) {
  const Authority parsed = ParseAuthority(authority);
  if (parsed.host.empty()) {
    const AddressText address(fallback);
    if (address.view().empty()) return;
    writer.Text("server.address", address.view());
    if (fallback.port != 0) writer.Number("server.port", fallback.port);
    return;
  }
  writer.Text("server.address", parsed.host);
  // Without a port the scheme implies it, on both sides alike; server.port is required on clients.
  const uint16_t port = parsed.port != 0 ? parsed.port : DefaultPort(scheme);
  if (port != 0) writer.Number("server.port", port);
}

void AddClientAddress(std::string_view original, const Endpoint& peer, AttributeWriter& writer) {
  if (original.empty()) {
    const AddressText address(peer);
    if (address.view().empty()) return;
    writer.Text("client.address", address.view());
    if (peer.port != 0) writer.Number("client.port", peer.port);
    return;
  }
  const Authority parsed = ParseAuthority(original);
  writer.Text("client.address", parsed.host);
  if (parsed.port != 0) writer.Number("client.port", parsed.port);
}

// An authority for url.full when the request carries none: the address that was connected to.
std::string PeerAuthority(const Endpoint& peer) {
  const AddressText address(peer);
  std::string text;
  if (peer.family == 6) {
    text.append("[").append(address.view()).append("]");
  } else if (peer.family == 4) {
    text.append(address.view());
  } else {
    text.append("localhost");  // unix sockets have no host; RFC 9110 wants one in the URL
  }
  if (peer.port != 0 && peer.port != 80) text.append(":").append(std::to_string(peer.port));
  return text;
}

// The name stays "{method}": the only low-cardinality target that the conventions allow a client is
// url.template, which is opt-in (so off unless asked for) and which only the application knows; a
// template learnt from paths of somebody else's server would be a guess.
void DescribeClient(const Exchange& exchange, const HttpExchange& http, const Redactor& redactor,
                    AttributeWriter& writer, Span& span) {
  span.kind = SpanKind::kClient;
  if (!exchange.request.seen) return;
  const Target target = ParseTarget(http.request.method, http.request.target);
  const RequestHeaders headers = CollectHeaders(http.request.headers);
  const std::string_view scheme = target.scheme.empty() ? SchemeOf(exchange.source) : target.scheme;
  const std::string_view authority = target.authority.empty() ? headers.host : target.authority;
  const Endpoint& peer = exchange.connection->remote;
  std::string url;
  if (target.form != TargetForm::kAuthority) url.append(scheme).append(":");
  url.append("//");
  if (authority.empty()) {
    url.append(PeerAuthority(peer));
  } else {
    Redactor::AppendAuthority(authority, url);
  }
  if (target.form !=
      TargetForm::kAsterisk) {  // RFC 9110 section 7.1: "*" stands for the authority alone
    if (!target.path.empty() && !target.path.starts_with('/')) url.append("/");
    url.append(target.path);
  }
  if (target.has_query) {
    url.append("?");
    redactor.AppendQuery(target.query, url);
  }
  if (!http.request.target.empty()) writer.Text("url.full", url);
  AddServerAddress(authority, scheme, peer, writer);
}

void AddHeaders(const std::vector<HttpHeader>& headers, const std::vector<AllowedHeader>& allowed,
                AttributeWriter& writer) {
  for (const AllowedHeader& header : allowed) {
    std::vector<std::string_view> values;
    for (const HttpHeader& sent : headers) {
      if (sent.name == header.name) values.emplace_back(sent.value);
    }
    if (!values.empty()) writer.List(header.key, values);
  }
}

void AddMessage(const Exchange& exchange, const HttpExchange& http, const Disclosure& disclosure,
                AttributeWriter& writer) {
  if (exchange.response.seen && http.response.status != 0) {
    writer.Number("http.response.status_code", http.response.status);
  }
  const std::string& version =
      http.response.version.empty() ? http.request.version : http.response.version;
  // network.protocol.name is only wanted if it is not "http".
  if (!version.empty()) writer.Text("network.protocol.version", version);
  if (http.request.has_body_bytes) {
    writer.Number("http.request.body.size", static_cast<int64_t>(http.request.body_bytes));
  }
  if (http.response.has_body_bytes && exchange.response.seen) {
    writer.Number("http.response.body.size", static_cast<int64_t>(http.response.body_bytes));
  }
  AddHeaders(http.request.headers, disclosure.request_headers, writer);
  AddHeaders(http.response.headers, disclosure.response_headers, writer);
}

}  // namespace

HttpSpan::HttpSpan(const RouteOptions& routes, MetricRegistry& metrics)
    : methods_(DefaultKnownMethods()), routes_(routes, metrics) {}

void HttpSpan::Describe(const Exchange& exchange, const HttpExchange& http, const Owner& owner,
                        AttributeWriter& writer, Span& span) {
  AddMethod(http.request, writer, span);
  if (exchange.role == Role::kServer) {
    DescribeServer(exchange, http, owner, writer, span);
  } else {
    DescribeClient(exchange, http, owner.disclosure.redactor, writer, span);
  }
  AddMessage(exchange, http, owner.disclosure, writer);
}

// Sets the name to "{method}", to which the server side adds its route.
void HttpSpan::AddMethod(const HttpRequest& request, AttributeWriter& writer, Span& span) const {
  if (methods_.Contains(request.method)) {
    writer.Text("http.request.method", request.method);
    span.name = request.method;
    return;
  }
  writer.Text("http.request.method", "_OTHER");
  if (!request.method.empty()) {
    writer.Text("http.request.method_original",
                std::string_view(request.method).substr(0, kMaxMethodBytes));
  }
  span.name = "HTTP";
}

void HttpSpan::DescribeServer(const Exchange& exchange, const HttpExchange& http,
                              const Owner& owner, AttributeWriter& writer, Span& span) {
  if (!exchange.request.seen) return;
  const Target target = ParseTarget(http.request.method, http.request.target);
  const RequestHeaders headers = CollectHeaders(http.request.headers);
  const Origin origin = ParseOrigin(headers.forwarding);
  std::string_view scheme = origin.scheme;
  if (scheme.empty()) scheme = target.scheme.empty() ? SchemeOf(exchange.source) : target.scheme;
  // Not known: an HTTP/2 header that was sent before sonde came.
  if (!target.path.empty()) writer.Text("url.path", target.path);
  writer.Text("url.scheme", scheme);
  if (target.has_query) {
    std::string query;
    owner.disclosure.redactor.AppendQuery(target.query, query);
    writer.Text("url.query", query);
  }
  const uint32_t status = exchange.response.seen ? http.response.status : 0;
  const std::string_view route = routes_.RouteOf(owner.service, target.path, status);
  if (!route.empty()) {
    writer.Text("http.route", route);
    span.name.append(" ").append(route);
  }
  // Order of the conventions: what a proxy says, absolute form, Host header, else the address of
  // the socket.
  std::string_view host = origin.host;
  if (host.empty()) host = target.authority.empty() ? headers.host : target.authority;
  AddServerAddress(host, scheme, exchange.connection->local, writer);
  AddClientAddress(origin.client, exchange.connection->remote, writer);
  if (!headers.user_agent.empty()) writer.Text("user_agent.original", headers.user_agent);
}

}  // namespace sonde::span
