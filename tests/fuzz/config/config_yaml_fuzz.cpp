// SPDX-License-Identifier: Apache-2.0
// A configuration file of arbitrary bytes: refused with findings, or accepted and then printed as a
// file that is accepted again with the same values.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/draft.h"
#include "config/environment.h"
#include "config/load.h"
#include "config/origin.h"
#include "config/yaml_reader.h"

namespace {

using sonde::config::Draft;
using sonde::config::Environment;
using sonde::config::Findings;

// The printed form of what the text says, without comments and with secrets masked; "" if it is
// refused.
std::string Load(const std::string& text) {
  const Environment environment{{"A", "1"}, {"B", "x: [y]"}};
  const auto root = sonde::config::ReadYaml(text, "F", environment);
  if (!root.ok()) return {};
  Draft draft;
  draft.file_format = "1.0";
  Findings findings;
  sonde::config::ApplyFile(*root, "F", draft, findings);
  sonde::config::Finish({}, environment, draft, findings);
  if (!findings.ok()) {
    if (findings.ToStatus().message().empty()) std::abort();  // a refusal says why
    return {};
  }
  return sonde::config::PrintDraft(draft);
}

// Origins name lines, which differ between the two texts.
std::string WithoutComments(const std::string& text) {
  std::string out;
  size_t start = 0;
  while (start < text.size()) {
    const size_t end = text.find('\n', start);
    const std::string line = text.substr(start, end - start);
    out += line.substr(0, line.rfind("  # ")) + "\n";
    start = end + 1;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string first = Load(std::string(reinterpret_cast<const char*>(data), size));
  if (first.empty()) return 0;
  const std::string second = Load(first);
  if (WithoutComments(first) != WithoutComments(second)) std::abort();
  return 0;
}
