// SPDX-License-Identifier: Apache-2.0
#include "protocol/http1/protocol.h"

#include <cstdint>
#include <memory>
#include <string_view>

#include "protocol/http1/parse.h"
#include "protocol/http1/parser.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {

Detection Detect(std::string_view bytes) {
  const std::string_view start = bytes.substr(EmptyLines(bytes));
  if (start.empty() || start == "\r") return Detection::kNeedMore;
  const Detection request = LooksLikeRequest(start);
  if (request == Detection::kYes) return request;
  const Detection response = LooksLikeResponse(bytes);
  return response == Detection::kNo ? request : response;
}

std::unique_ptr<Parser> CreateParser(ParserHost& host, uint64_t rest) {
  return std::make_unique<Http1Parser>(host, rest);
}

}  // namespace sonde::protocol::http1
