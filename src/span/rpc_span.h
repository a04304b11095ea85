// SPDX-License-Identifier: Apache-2.0
// Name, attributes and status of gRPC spans, as OpenTelemetry's RPC semantic conventions 1.45 say.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/attribute_writer.h"

namespace sonde::span {

// "OK", "DEADLINE_EXCEEDED" ...; the number for codes that gRPC does not define.
std::string GrpcStatusName(uint32_t code);

// error.type, or empty: every code but OK on clients; on servers the codes that the conventions
// call the server's fault, and a cancelled stream. What ended without a status: as HTTP.
std::string RpcErrorType(const Exchange& exchange, const RpcExchange& rpc);

// Fills name, status message and the RPC part of the attributes; required ones first.
void DescribeRpc(const Exchange& exchange, const RpcExchange& rpc, AttributeWriter& writer,
                 Span& span);

}  // namespace sonde::span
