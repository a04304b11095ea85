// SPDX-License-Identifier: Apache-2.0
// HTTP/2 with prior knowledge for the registry.
#pragma once

#include <memory>
#include <string_view>

#include "protocol/http2/parser.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http2 {

Detection Detect(std::string_view bytes);
std::unique_ptr<Parser> CreateParser(ParserHost& host, Refine refine);

}  // namespace sonde::protocol::http2
