// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/summary.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

std::string_view TextOf(const Span& span, std::string_view key) {
  const AttributeValue* value = FindAttribute(span.attributes, key);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? std::string_view{} : std::string_view(*text);
}

int64_t NumberOf(const Span& span, std::string_view key) {
  const AttributeValue* value = FindAttribute(span.attributes, key);
  const auto* number = value == nullptr ? nullptr : std::get_if<int64_t>(value);
  return number == nullptr ? 0 : *number;
}

// Path and query of url.full, which client spans carry instead of url.path.
std::string_view TargetOfUrl(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return url;
  const size_t path = url.find_first_of("/?", scheme + 3);
  return path == std::string_view::npos ? std::string_view("/") : url.substr(path);
}

std::string TargetOf(const Span& span) {
  const std::string_view path = TextOf(span, "url.path");
  if (path.empty()) {
    const std::string_view url = TextOf(span, "url.full");
    return url.empty() ? std::string() : std::string(TargetOfUrl(url));
  }
  std::string target(path);
  if (const std::string_view query = TextOf(span, "url.query"); !query.empty()) {
    target += '?';
    target += query;
  }
  return target;
}

std::string PeerOf(const Span& span) {
  std::string_view host = TextOf(span, "server.address");
  int64_t port = NumberOf(span, "server.port");
  if (host.empty()) {
    host = TextOf(span, "network.peer.address");
    port = NumberOf(span, "network.peer.port");
  }
  if (host.empty()) return {};
  const bool bracket = port > 0 && host.front() != '[' && host.find(':') != std::string_view::npos;
  std::string peer;
  if (bracket) peer += '[';
  peer += host;
  if (bracket) peer += ']';
  if (port > 0) {
    peer += ':';
    peer += std::to_string(port);
  }
  return peer;
}

}  // namespace

std::string_view KindName(SpanKind kind) {
  switch (kind) {
    case SpanKind::kInternal:
      return "internal";
    case SpanKind::kServer:
      return "server";
    case SpanKind::kClient:
      return "client";
    case SpanKind::kProducer:
      return "producer";
    case SpanKind::kConsumer:
      return "consumer";
  }
  return "internal";
}

uint64_t DurationOf(const Span& span) {
  return span.end_wall_ns > span.start_wall_ns ? span.end_wall_ns - span.start_wall_ns : 0;
}

Summary Summarise(const Span& span) {
  Summary summary;
  summary.service = span.resource == nullptr || span.resource->service_name.empty()
                        ? std::string_view("unknown_service")
                        : std::string_view(span.resource->service_name);
  summary.name = span.name;
  const bool calls = span.kind == SpanKind::kClient || span.kind == SpanKind::kProducer;
  if (calls) summary.peer = PeerOf(span);
  summary.target = TargetOf(span);
  if (!summary.target.empty() && summary.name.ends_with(" " + summary.target))
    summary.target.clear();
  const int64_t code = NumberOf(span, "http.response.status_code");
  if (code > 0 && code <= 999) {
    summary.status_code = static_cast<uint32_t>(code);
    summary.status = std::to_string(code);
  }
  summary.failed = span.status == SpanStatus::kError;
  summary.error = TextOf(span, "error.type");
  if (summary.error.empty() && summary.failed) summary.error = span.status_message;
  if (summary.error == summary.status) summary.error = {};
  summary.link_method = TextOf(span, "sonde.link.method");
  summary.unfinished = TextOf(span, "sonde.unfinished");
  return summary;
}

}  // namespace sonde::exporter
