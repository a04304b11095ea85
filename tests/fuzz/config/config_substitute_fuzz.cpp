// SPDX-License-Identifier: Apache-2.0
// ${} substitution of arbitrary text: bounded, and text whose dollars are doubled comes back as it
// was.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/environment.h"
#include "config/pairs.h"
#include "config/substitute.h"
#include "config/units.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const sonde::config::Environment environment{{"A", "${B}"}, {"LONG_NAME", "value"}, {"E", ""}};
  const auto result = sonde::config::Substitute(text, environment);
  if (result.ok() && result->size() > (64U << 10)) std::abort();

  std::string escaped;
  for (const char c : text) escaped += c == '$' ? std::string("$$") : std::string(1, c);
  const auto back = sonde::config::Substitute(escaped, environment);
  if (text.size() < (32U << 10) && (!back.ok() || *back != text)) std::abort();

  // The other small parsers of values.
  (void)sonde::config::ParsePairs(text);
  const auto duration = sonde::config::ParseDuration(text, true);
  if (duration && duration->count() < 0) std::abort();
  (void)sonde::config::ParseSize(text);
  (void)sonde::config::ParseNumber(text);
  return 0;
}
