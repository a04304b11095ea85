// SPDX-License-Identifier: Apache-2.0
// Resources of a recording, which is an input file like any other. What is read must survive
// another round.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "resource/resource_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sonde::resource::FromJson;
  using sonde::resource::ToJson;
  const auto resource = FromJson({reinterpret_cast<const char*>(data), size});
  if (!resource.ok()) return 0;
  const std::string text = ToJson(**resource);
  const auto again = FromJson(text);
  if (!again.ok() || (*again)->service_name != (*resource)->service_name) std::abort();
  if (ToJson(**again) != text) std::abort();
  return 0;
}
