// SPDX-License-Identifier: Apache-2.0
// HTTP/1.0 and HTTP/1.1 for the registry.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {

Detection Detect(std::string_view bytes);
std::unique_ptr<Parser> CreateParser(ParserHost& host, uint64_t rest);

}  // namespace sonde::protocol::http1
