// SPDX-License-Identifier: Apache-2.0
#include "protocol/http2/protocol.h"

#include <memory>
#include <string_view>

#include "protocol/http2/frame.h"
#include "protocol/http2/parser.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http2 {

Detection Detect(std::string_view bytes) {
  return bytes.empty() ? Detection::kNeedMore : DetectFrames(bytes);
}

std::unique_ptr<Parser> CreateParser(ParserHost& host, Refine refine) {
  return std::make_unique<Http2Parser>(host, refine);
}

}  // namespace sonde::protocol::http2
