// SPDX-License-Identifier: Apache-2.0
// Any value of grpc-trace-bin: what is accepted is a context that may be passed on.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "trace/propagation/trace_bin.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto& context : {sonde::trace::ParseTraceBin(text),
                              sonde::trace::ExtractTraceBin({{"grpc-trace-bin", text}})}) {
    if (!context) continue;
    if (!context->trace_id.valid() || !context->span_id.valid() || context->flags > 1) std::abort();
  }
  return 0;
}
