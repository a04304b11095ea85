// SPDX-License-Identifier: Apache-2.0
// gRPC over HTTP/2: what an HTTP exchange says about the call that it carries. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/http2/streams.h"
#include "sonde/pipeline/exchange.h"

namespace sonde::protocol::grpc {

// application/grpc, with or without +proto, +json, parameters; not application/grpc-web.
bool IsGrpcContentType(std::string_view value);

// grpc-timeout: at most eight digits and a unit. 0 if it is none.
uint64_t ParseTimeout(std::string_view value);

// Percent-decoded grpc-message; what is no escape stays.
std::string DecodeMessage(std::string_view value);

// Code of a call whose stream was reset, or that was answered by something that is no gRPC server,
// as the gRPC specification maps them.
uint32_t StatusOfReset(uint32_t code);
uint32_t StatusOfHttp(uint32_t status);

// Makes an RpcExchange of the HttpExchange of a stream that is a gRPC call; leaves others alone.
void Refine(http2::OpenStream& stream);

}  // namespace sonde::protocol::grpc
