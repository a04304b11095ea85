// SPDX-License-Identifier: Apache-2.0
#include "trace/join_key.h"

#include <absl/hash/hash.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"

namespace sonde::trace {
namespace {

std::array<uint64_t, 2> AddressWords(const Endpoint& endpoint) {
  std::array<uint64_t, 2> words{};
  static_assert(sizeof(words) == sizeof(endpoint.address));
  std::memcpy(words.data(), endpoint.address.data(), sizeof(words));
  return words;
}

bool IsLoopback(const Endpoint& endpoint) {
  if (endpoint.family == 4) return endpoint.address[0] == 127;
  const auto zeros = std::ranges::count(endpoint.address, uint8_t{0});
  return zeros == 15 && endpoint.address[15] == 1;
}

uint64_t Fingerprint(const HttpRequest* request) {
  if (request == nullptr) return 0;
  return absl::HashOf(request->method, request->target, request->headers.size());
}

}  // namespace

JoinKey MakeJoinKey(const RequestStart& start) {
  JoinKey key;
  const ConnectionInfo& connection = *start.connection;
  if (connection.wire) return key;
  key.fingerprint = Fingerprint(start.http);
  if (connection.plain_text) {
    // Both ends name it by the client random and count its bytes from the first.
    if (connection.peer == 0) return key;
    key.kind = JoinKey::Kind::kPlainText;
    key.position = start.request.first_position;
    key.client = {connection.peer, 0};
    return key;
  }
  if (connection.transport == Transport::kUnix) {
    const ConnectionId client = start.role == Role::kServer ? connection.peer : connection.id;
    if (client == 0) return key;
    key.kind = JoinKey::Kind::kUnix;
    key.position = start.request.first_position;
    key.client = {client, 0};
    return key;
  }
  const bool server = start.role == Role::kServer;
  const Endpoint& client_end = server ? connection.remote : connection.local;
  const Endpoint& server_end = server ? connection.local : connection.remote;
  if (client_end.family != 4 && client_end.family != 6) return key;
  key.kind = JoinKey::Kind::kTcp;
  key.position = static_cast<uint32_t>(start.request.first_position);
  key.client = AddressWords(client_end);
  key.server = AddressWords(server_end);
  key.ports = uint64_t{client_end.port} << 16 | server_end.port;
  if (IsLoopback(server_end)) key.netns = connection.netns;
  return key;
}

}  // namespace sonde::trace
