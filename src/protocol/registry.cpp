// SPDX-License-Identifier: Apache-2.0
#include "protocol/registry.h"

#include <cstdint>

#include "protocol/grpc/call.h"
#include "protocol/http1/protocol.h"
#include "protocol/http2/protocol.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol {

ProtocolList RegisteredProtocols() {
  static constexpr Protocol kProtocols[] = {
      // gRPC has no bytes of its own to be recognised by: it is what some HTTP/2 exchanges say.
      {.name = "http2",
       .detect = http2::Detect,
       .create = [](ParserHost& host,
                    uint64_t /*rest*/) { return http2::CreateParser(host, grpc::Refine); },
       .verdict = Verdict::kFrames},
      {.name = "http1", .detect = http1::Detect, .create = http1::CreateParser},
  };
  return kProtocols;
}

}  // namespace sonde::protocol
