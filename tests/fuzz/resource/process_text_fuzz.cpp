// SPDX-License-Identifier: Apache-2.0
// Arguments and OTEL_RESOURCE_ATTRIBUTES are whatever a process was given. Input: arguments, one a
// line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "resource/environment.h"
#include "resource/service_name.h"
#include "resource/text.h"
#include "sonde/pipeline/process.h"

namespace {

void CheckUtf8(const std::string& text) {
  if (sonde::resource::ToUtf8(text) != text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto pairs = sonde::resource::ParseResourceAttributes(input)) {
    for (const auto& [key, value] : *pairs) {
      if (key.empty()) std::abort();
      CheckUtf8(key);
    }
  }
  CheckUtf8(sonde::resource::ToUtf8(input));
  sonde::ProcessFacts facts;
  facts.exe = "/bin/program";
  facts.cwd = "/srv/app";
  facts.env = {{"FLASK_APP", std::string(input.substr(0, 32))}};
  for (std::string_view rest = input; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + (line.size() < rest.size() ? 1 : 0));
    facts.args.emplace_back(line);
  }
  for (int language = 0; language <= static_cast<int>(sonde::Language::kRust); ++language) {
    const auto name =
        sonde::resource::RuntimeServiceName(facts, static_cast<sonde::Language>(language));
    if (name.empty()) std::abort();  // there is always the executable
  }
  return 0;
}
