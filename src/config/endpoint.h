// SPDX-License-Identifier: Apache-2.0
// OTLP endpoints: the rules of the OTLP exporter specification, and what is safe to show of a URL.
#pragma once

#include <string>
#include <string_view>

#include "config/draft.h"
#include "sonde/base/result.h"

namespace sonde::config {

// Fills options.otlp.endpoint, .protocol and .insecure from what was given. The result always has a
// scheme, for gRPC also a port, for HTTP also a path. Defaults: protocol http/protobuf, but grpc if
// the endpoint names port 4317; http://localhost:4318/v1/traces and http://localhost:4317. Over
// HTTP a URL without port means 80 or 443, as in any URL (the specification: used as is); over gRPC
// 443 after https://, else 4317.
// `path`: of the signal, in place of /v1/traces.
Status ResolveEndpoint(ExporterDraft& exporter, std::string_view path = "/v1/traces");

// http://HOST... or https://HOST..., with a valid port if there is one.
bool IsHttpUrl(std::string_view text);

// user:password@ in a URL becomes *****@.
std::string MaskUserInfo(std::string_view url);

}  // namespace sonde::config
