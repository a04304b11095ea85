// SPDX-License-Identifier: Apache-2.0
#include "trace/join_index.h"

#include "sonde/pipeline/exchange.h"
#include "trace/join_key.h"
#include "trace/request.h"

namespace sonde::trace {

Request* JoinIndex::TakeOther(const Request& request) {
  if (request.key.kind == JoinKey::Kind::kNone) return nullptr;
  const bool server = request.role == Role::kServer;
  const auto& others = server ? clients_ : servers_;
  const auto found = others.find(request.key);
  Request* other = found != others.end() ? found->second : nullptr;
  // The unix byte counts of both ends may be out of step after a late attach; then a server request
  // that was over before the client began carries the same number. Sequence numbers of TCP cannot
  // lie like that.
  if (other != nullptr && request.key.kind == JoinKey::Kind::kUnix && !server && other->finished)
    other = nullptr;
  if (other == nullptr && server) other = FindBehindNat(request);
  if (other != nullptr) Remove(*other);
  return other;
}

Request* JoinIndex::FindBehindNat(const Request& server) const {
  if (server.key.kind != JoinKey::Kind::kTcp || server.key.fingerprint == 0) return nullptr;
  const auto found = nat_clients_.find(NatKeyOf(server.key));
  if (found == nat_clients_.end() || found->second.only == nullptr) return nullptr;
  Request* client = found->second.only;
  // Without equal addresses containment is demanded: the server read it after the client wrote it.
  // Loopback is never translated.
  return client->start_ns <= server.start_ns && client->key.netns == 0 && server.key.netns == 0
             ? client
             : nullptr;
}

void JoinIndex::Add(Request& request) {
  if (request.key.kind == JoinKey::Kind::kNone) return;
  auto& map = request.role == Role::kServer ? servers_ : clients_;
  Request*& slot = map[request.key];
  if (slot != nullptr) Remove(*slot);  // `slot` is gone after this
  map[request.key] = &request;
  request.indexed = true;
  if (request.role == Role::kServer || request.key.kind != JoinKey::Kind::kTcp) return;
  NatEntry& entry = nat_clients_[NatKeyOf(request.key)];
  entry.only = entry.count == 0 ? &request : nullptr;
  ++entry.count;
}

void JoinIndex::Remove(Request& request) {
  if (!request.indexed) return;
  request.indexed = false;
  (request.role == Role::kServer ? servers_ : clients_).erase(request.key);
  if (request.role == Role::kServer || request.key.kind != JoinKey::Kind::kTcp) return;
  const auto found = nat_clients_.find(NatKeyOf(request.key));
  if (--found->second.count == 0) {
    nat_clients_.erase(found);
  } else {
    found->second.only = nullptr;
  }
}

}  // namespace sonde::trace
