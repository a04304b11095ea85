// SPDX-License-Identifier: Apache-2.0
// What a process publishes of itself, and its command line: bytes of the traced program.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "resource/arguments.h"
#include "resource/process_context.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  bool malformed = false;
  const auto context = sonde::resource::ParseProcessContext(bytes, &malformed);
  if (malformed && !context.empty()) std::abort();
  for (const auto& [key, value] : context) {
    if (key.empty()) std::abort();
  }
  const auto shown = sonde::resource::ShownArguments({"x", std::string(bytes), "-u", "a:b"});
  if (shown.size() != 4) std::abort();
  return 0;
}
