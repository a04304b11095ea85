// SPDX-License-Identifier: Apache-2.0
// Requests that have not met their other end yet: the same message, sent by a client and read by a
// server of this host.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>

#include "trace/join_key.h"
#include "trace/request.h"

namespace sonde::trace {

// Holds pointers to requests; the owner removes them before they go. At most one entry per request.
class JoinIndex {
 public:
  // Takes the other end of `request` out of the index, or returns null.
  Request* TakeOther(const Request& request);
  void Add(Request& request);
  void Remove(Request& request);

 private:
  // Behind NAT the two ends see different addresses, but the same sequence number and the same
  // request line.
  struct NatKey {
    uint64_t position;
    uint64_t fingerprint;
    friend bool operator==(const NatKey&, const NatKey&) = default;
    template <typename H>
    friend H AbslHashValue(H state, const NatKey& key) {
      return H::combine(std::move(state), key.position, key.fingerprint);
    }
  };
  struct NatEntry {
    Request* only = nullptr;  // null once there were several: then none of them is certain
    uint32_t count = 0;
  };
  static NatKey NatKeyOf(const JoinKey& key) {
    return {.position = key.position, .fingerprint = key.fingerprint};
  }
  Request* FindBehindNat(const Request& server) const;

  absl::flat_hash_map<JoinKey, Request*> clients_;
  absl::flat_hash_map<JoinKey, Request*> servers_;
  absl::flat_hash_map<NatKey, NatEntry> nat_clients_;
};

}  // namespace sonde::trace
