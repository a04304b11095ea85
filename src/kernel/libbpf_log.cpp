// SPDX-License-Identifier: Apache-2.0
#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace sonde::kernel {
namespace {

// libbpf's print function has no context argument, hence a variable per thread.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
thread_local LibbpfLog* current = nullptr;

// Of the verifier's log of a program that it refused: the line before its statistics says why.
std::string_view Reason(std::string_view log) {
  std::string_view reason;
  while (!log.empty()) {
    const size_t end = std::min(log.find('\n'), log.size() - 1);
    const std::string_view line = log.substr(0, log.find('\n'));
    log.remove_prefix(end + 1);
    if (line.starts_with("verification time") || line.starts_with("processed ")) break;
    if (!line.empty() && !line.starts_with("libbpf: ")) reason = line;
  }
  return reason;
}

int Print(libbpf_print_level level, const char* format, va_list arguments) {
  char line[4096];  // verifier logs are longer: their beginning and libbpf's own lines are what
                    // helps
  const int size = std::vsnprintf(line, sizeof(line), format, arguments);
  std::string_view text(line);
  if (level == LIBBPF_DEBUG) {
    if (current != nullptr) current->NoteDebug(text);
    return size;
  }
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  spdlog::debug("{}", text);
  if (level == LIBBPF_WARN && current != nullptr) current->NoteWarning(text);
  return size;
}

}  // namespace

LibbpfLog::LibbpfLog() {
  libbpf_set_print(Print);
  current = this;
}

LibbpfLog::~LibbpfLog() { current = nullptr; }

// "prog 'NAME': -- BEGIN PROG LOAD LOG -- ... processed N insns": what the verifier says of a
// program that was loaded with its statistics asked for.
void LibbpfLog::NoteDebug(std::string_view text) {
  constexpr std::string_view kName = "prog '";
  constexpr std::string_view kCount = "processed ";
  const size_t name = text.find(kName);
  const size_t count = text.find(kCount);
  if (name == std::string_view::npos || count == std::string_view::npos) return;
  const size_t from = name + kName.size();
  const size_t end = text.find('\'', from);
  if (end == std::string_view::npos) return;
  uint64_t instructions = 0;
  std::from_chars(text.data() + count + kCount.size(), text.data() + text.size(), instructions);
  costs_[std::string(text.substr(from, end - from))] = instructions;
}

void LibbpfLog::NoteWarning(std::string_view text) {
  if (text.find("-- BEGIN PROG LOAD LOG --") != std::string_view::npos && !reason_known_) {
    first_warning_.append(": ").append(Reason(text));
    reason_known_ = true;
  } else if (first_warning_.empty()) {
    first_warning_ = text.substr(0, text.find('\n'));
  }
}

}  // namespace sonde::kernel
