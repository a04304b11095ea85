// SPDX-License-Identifier: Apache-2.0
#include "probes/runtime/cpython/methods.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "binary/elf.h"

namespace sonde::probe {
namespace {

constexpr uint64_t kFunction = 8;
constexpr uint64_t kFlags = 16;

}  // namespace

std::optional<Method> MethodAt(const binary::Elf& elf, uint64_t entry, std::string_view name) {
  const auto text = elf.Pointer(entry);
  const std::string terminated = std::string(name) + '\0';
  if (!text || elf.Read(*text, terminated.size()) != terminated) return std::nullopt;
  const auto function = elf.Pointer(entry + kFunction);
  const std::string flags = elf.Read(entry + kFlags, sizeof(uint32_t));
  Method method{.function = function.value_or(0)};
  if (!function || flags.size() != sizeof(method.flags)) return std::nullopt;
  std::memcpy(&method.flags, flags.data(), sizeof(method.flags));
  return method;
}

}  // namespace sonde::probe
