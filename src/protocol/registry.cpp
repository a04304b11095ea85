// SPDX-License-Identifier: Apache-2.0
#include "protocol/registry.h"

#include "protocol/http1/protocol.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol {

ProtocolList RegisteredProtocols() {
  static constexpr Protocol kProtocols[] = {
      {.name = "http1", .detect = http1::Detect, .create = http1::CreateParser},
  };
  return kProtocols;
}

}  // namespace sonde::protocol
