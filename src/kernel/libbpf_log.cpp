// SPDX-License-Identifier: Apache-2.0
#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>
#include <spdlog/spdlog.h>

#include <cstdarg>
#include <cstdio>
#include <string>
#include <string_view>

namespace sonde::kernel {
namespace {

// libbpf's print function has no context argument, hence a variable per thread.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
thread_local std::string* first_warning = nullptr;

int Print(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[4096];  // verifier logs are longer: their beginning and libbpf's own lines are what
                    // helps
  const int size = std::vsnprintf(line, sizeof(line), format, arguments);
  std::string_view text(line);
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  spdlog::debug("{}", text);
  if (level == LIBBPF_WARN && first_warning != nullptr && first_warning->empty()) {
    *first_warning = text.substr(0, text.find('\n'));
  }
  return size;
}

}  // namespace

LibbpfLog::LibbpfLog() {
  libbpf_set_print(Print);
  static thread_local std::string warning;
  warning.clear();
  first_warning = &warning;
}

LibbpfLog::~LibbpfLog() { first_warning = nullptr; }

std::string LibbpfLog::FirstWarning() const {
  return first_warning == nullptr ? std::string() : *first_warning;
}

}  // namespace sonde::kernel
