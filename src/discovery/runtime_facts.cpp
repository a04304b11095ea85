// SPDX-License-Identifier: Apache-2.0
// Language and runtime of a process, from what is there at its exec already: names and ELF
// sections.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "discovery/elf_facts.h"
#include "sonde/pipeline/process.h"

namespace sonde {
namespace {

struct KnownRuntime {
  std::string_view prefix;  // of the executable's name; what follows may only be a version
  Language language;
  std::string_view name;  // process.runtime.name
};

// The names that the semantic conventions give the runtimes; empty where only the runtime itself
// could tell.
constexpr std::array kRuntimes = {
    KnownRuntime{.prefix = "python", .language = Language::kPython, .name = "cpython"},
    KnownRuntime{.prefix = "pypy", .language = Language::kPython, .name = "pypy"},
    KnownRuntime{.prefix = "uwsgi_python", .language = Language::kPython, .name = "cpython"},
    KnownRuntime{.prefix = "java", .language = Language::kJava, .name = ""},
    KnownRuntime{.prefix = "node", .language = Language::kNodejs, .name = "nodejs"},
    KnownRuntime{.prefix = "nodejs", .language = Language::kNodejs, .name = "nodejs"},
    KnownRuntime{.prefix = "ruby", .language = Language::kRuby, .name = "ruby"},
    KnownRuntime{.prefix = "php", .language = Language::kPhp, .name = ""},
    KnownRuntime{.prefix = "php-fpm", .language = Language::kPhp, .name = ""},
    KnownRuntime{.prefix = "php-cgi", .language = Language::kPhp, .name = ""},
    KnownRuntime{.prefix = "dotnet", .language = Language::kDotnet, .name = ".NET"},
    KnownRuntime{.prefix = "beam.smp", .language = Language::kErlang, .name = "BEAM"},
};

bool IsVersion(std::string_view text) {
  return std::ranges::all_of(text,
                             [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == '-'; });
}

}  // namespace

std::string_view LanguageName(Language language) {
  switch (language) {
    case Language::kGeneric:
      return "generic";
    case Language::kCpp:
      return "cpp";
    case Language::kDotnet:
      return "dotnet";
    case Language::kErlang:
      return "erlang";
    case Language::kGo:
      return "go";
    case Language::kJava:
      return "java";
    case Language::kNodejs:
      return "nodejs";
    case Language::kPhp:
      return "php";
    case Language::kPython:
      return "python";
    case Language::kRuby:
      return "ruby";
    case Language::kRust:
      return "rust";
  }
  return "generic";
}

RuntimeFacts ProcessReader::Runtime(const ProcessFacts& facts) const {
  const std::string_view name = facts.exe_name();
  for (const KnownRuntime& known : kRuntimes) {
    if (name.starts_with(known.prefix) && IsVersion(name.substr(known.prefix.size()))) {
      return {.language = known.language, .name = std::string(known.name), .version = {}};
    }
  }
  if (!sees_anything() || facts.exe.empty()) return {};
  const auto elf = discovery::ReadElfFacts(root_ + "/" + std::to_string(facts.pid) + "/exe");
  if (elf.go) return {.language = Language::kGo, .name = "go", .version = elf.go_version};
  if (elf.python) return {.language = Language::kPython, .name = "cpython", .version = {}};
  if (elf.rust) return {.language = Language::kRust, .name = {}, .version = {}};
  if (elf.cpp) return {.language = Language::kCpp, .name = {}, .version = {}};
  return {};
}

}  // namespace sonde
