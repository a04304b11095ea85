// SPDX-License-Identifier: Apache-2.0
#include "config/endpoint.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/draft.h"
#include "config/text.h"
#include "config/units.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

constexpr std::string_view kTracesPath = "/v1/traces";

// A URL in parts; views into the text.
struct Url {
  std::string_view scheme;     // lower or upper case as given; empty if absent
  std::string_view user_info;  // with its '@'
  std::string_view host;       // with brackets if IPv6
  std::string_view port;
  std::string_view path;  // with query
};

std::optional<Url> Split(std::string_view text) {
  Url url;
  const bool clean = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  if (!clean) return std::nullopt;
  const size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) {
    url.scheme = text.substr(0, scheme);
    text.remove_prefix(scheme + 3);
  }
  const size_t path = text.find_first_of("/?#");
  std::string_view authority = text.substr(0, path);
  if (path != std::string_view::npos) url.path = text.substr(path);
  const size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    url.user_info = authority.substr(0, at + 1);
    authority.remove_prefix(at + 1);
  }
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  url.host = authority.substr(0, has_port ? colon : authority.size());
  if (has_port) {
    url.port = authority.substr(colon + 1);
    const auto number = ParseUnsigned(url.port);
    if (!number || *number == 0 || *number > UINT16_MAX) return std::nullopt;
  }
  if (url.host.empty() ||
      (bracket == std::string_view::npos && url.host.find(':') != url.host.npos)) {
    return std::nullopt;
  }
  return url;
}

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

Status Bad(const ExporterDraft& exporter, const std::string& expected) {
  return absl::InvalidArgumentError("endpoint: expected " + expected + ", got \"" +
                                    MaskUserInfo(exporter.endpoint) + "\"");
}

std::string HttpPath(const Url& url, EndpointRule rule, std::string_view signal) {
  std::string path(url.path);
  if (rule == EndpointRule::kAsIs) return path.empty() ? "/" : path;
  if (rule == EndpointRule::kFlag && path.ends_with(kTracesPath)) {
    path.resize(path.size() - kTracesPath.size());
  }
  while (path.ends_with('/')) path.pop_back();
  return path + std::string(signal);
}

// gRPC over a unix socket, in gRPC's own notation: unix:PATH.
Status ResolveUnix(ExporterDraft& exporter) {
  OtlpOptions& otlp = exporter.options.otlp;
  otlp.protocol = exporter.protocol.value_or(OtlpProtocol::kGrpc);
  if (otlp.protocol != OtlpProtocol::kGrpc) return Bad(exporter, "a URL for OTLP over HTTP");
  if (exporter.endpoint.size() == std::string_view("unix:").size()) {
    return Bad(exporter, "a path after unix:");
  }
  otlp.endpoint = exporter.endpoint;
  otlp.insecure = true;
  return absl::OkStatus();
}

}  // namespace

Status ResolveEndpoint(ExporterDraft& exporter, std::string_view path) {
  OtlpOptions& otlp = exporter.options.otlp;
  const bool given = !exporter.endpoint.empty();
  if (exporter.endpoint.starts_with("unix:")) return ResolveUnix(exporter);
  const auto url = Split(exporter.endpoint);
  if (given && !url) return Bad(exporter, "a URL such as http://localhost:4318");
  const bool grpc_port = given && url->port == "4317";
  otlp.protocol =
      exporter.protocol.value_or(grpc_port ? OtlpProtocol::kGrpc : OtlpProtocol::kHttpProtobuf);
  const bool grpc = otlp.protocol == OtlpProtocol::kGrpc;
  if (!given) {
    otlp.insecure = true;
    otlp.endpoint = grpc ? "http://localhost:4317" : "http://localhost:4318" + std::string(path);
    return absl::OkStatus();
  }
  std::string scheme = Lower(url->scheme);
  if (scheme.empty() && !grpc) {
    return Bad(exporter, "http:// or https:// before the host for OTLP over HTTP");
  }
  if (scheme.empty()) scheme = exporter.insecure.value_or(IsLoopback(url->host)) ? "http" : "https";
  if (scheme != "http" && scheme != "https") return Bad(exporter, "scheme http or https");
  if (grpc && url->path.size() > 1) return Bad(exporter, "no path for OTLP over gRPC");
  otlp.insecure = scheme == "http";
  std::string port(url->port);
  if (grpc && port.empty()) port = url->scheme.empty() || scheme == "http" ? "4317" : "443";
  otlp.endpoint = scheme + "://" + std::string(url->user_info) + std::string(url->host);
  if (!port.empty()) otlp.endpoint += ":" + port;
  if (!grpc) otlp.endpoint += HttpPath(*url, exporter.endpoint_rule, path);
  return absl::OkStatus();
}

bool IsHttpUrl(std::string_view text) {
  const auto url = Split(text);
  if (!url) return false;
  const std::string scheme = Lower(url->scheme);
  return scheme == "http" || scheme == "https";
}

std::string MaskUserInfo(std::string_view url) {
  const size_t scheme = url.find("://");
  const size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  const size_t end = std::min(url.find_first_of("/?#", start), url.size());
  const size_t at = url.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < start) return std::string(url);
  return std::string(url.substr(0, start)) + "*****" + std::string(url.substr(at));
}

}  // namespace sonde::config
