// SPDX-License-Identifier: Apache-2.0
// What makes a request on a client's socket and one on a server's socket the same message.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "sonde/pipeline/exchange.h"

namespace sonde::trace {

// TCP: both addresses, client first, and the sequence number of the request's first byte. Unix: the
// id of the client's socket, which the accepting end always knows (not so the other way round:
// before accept(2) the server's end has no inode), and the bytes before the request.
// Plain text of TLS: the client random and the text before the request.
struct JoinKey {
  enum class Kind : uint8_t { kNone, kTcp, kUnix, kPlainText };
  Kind kind = Kind::kNone;
  uint64_t netns = 0;  // loopback only: every namespace has its own 127.0.0.1. Other addresses may
                       // cross namespaces
  std::array<uint64_t, 2> client{};
  std::array<uint64_t, 2> server{};
  uint64_t ports = 0;
  uint64_t position = 0;
  uint64_t fingerprint = 0;  // of method and target: the same message says the same

  friend bool operator==(const JoinKey&, const JoinKey&) = default;

  template <typename H>
  friend H AbslHashValue(H state, const JoinKey& key) {
    return H::combine(std::move(state), key.position, key.ports, key.client[0], key.client[1],
                      key.server[0], key.server[1], key.netns, key.fingerprint);
  }
};

// kNone: nothing to join by (packets, unknown addresses).
JoinKey MakeJoinKey(const RequestStart& start);

}  // namespace sonde::trace
