// SPDX-License-Identifier: Apache-2.0
#include "binary/go_functions.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/elf.h"
#include "binary/go_table.h"
#include "sonde/base/result.h"

namespace sonde::binary {
namespace {

constexpr size_t kPieceBytes = 256U << 10;

// Numbers of the image at addresses that mostly ascend, read in large pieces.
class Numbers {
 public:
  explicit Numbers(const Elf& elf) : elf_(elf) {}

  template <typename T>
  std::optional<T> At(uint64_t address) {
    if (!Holds(address, sizeof(T))) {
      bytes_ = elf_.Read(address, kPieceBytes);
      start_ = address;
      if (!Holds(address, sizeof(T))) return std::nullopt;
    }
    T number;
    std::memcpy(&number, bytes_.data() + (address - start_), sizeof(T));
    return number;
  }

 private:
  bool Holds(uint64_t address, size_t size) const {
    return bytes_.size() >= size && address >= start_ && address - start_ <= bytes_.size() - size;
  }

  const Elf& elf_;
  std::string bytes_;
  uint64_t start_ = 0;
};

// Offset of each name among the table's names, with its index; ascending.
using NameOffsets = std::vector<std::pair<uint64_t, size_t>>;

NameOffsets FindNames(const Elf& elf, const GoTable& table,
                      const std::vector<std::string_view>& names) {
  size_t longest = 0;
  std::vector<std::string> whole;  // with the NUL before and after
  for (const std::string_view name : names) {
    whole.push_back('\0' + std::string(name) + '\0');
    longest = std::max(longest, whole.back().size());
  }
  NameOffsets found;
  if (longest > kPieceBytes / 2) return found;
  for (uint64_t at = 0; at < table.names_size && found.size() < names.size();) {
    const auto size = static_cast<size_t>(std::min<uint64_t>(kPieceBytes, table.names_size - at));
    const std::string piece = elf.Read(table.names + at, size);
    for (size_t i = 0; i < whole.size(); ++i) {
      const size_t hit = piece.find(whole[i]);
      const std::pair<uint64_t, size_t> name(at + hit + 1, i);
      if (hit == std::string::npos) continue;
      if (std::ranges::find(found, name) == found.end()) found.push_back(name);
    }
    if (piece.size() < size || piece.size() <= longest) break;
    at += piece.size() - longest;  // a name may stand across the border
  }
  std::ranges::sort(found);
  return found;
}

std::optional<Function> FunctionOf(const Elf& elf, const GoTable& table, uint64_t index) {
  constexpr uint64_t kMaxFunctionBytes = 16U << 20;
  const auto start = EntryOf(elf, table, index);
  const auto end = EntryOf(elf, table, index + 1);
  if (!start || !end || *start >= *end || *end - *start > kMaxFunctionBytes) return std::nullopt;
  if (!elf.CodeOffset(*start)) return std::nullopt;
  return Function{*start, *end};
}

// Offset of the name of the function with this index. It stands in _func after the entry.
std::optional<uint64_t> NameOf(const GoTable& table, uint64_t index, uint64_t& previous,
                               Numbers& index_numbers, Numbers& function_numbers) {
  const uint64_t at = table.function_at(index) + table.field_bytes();
  std::optional<uint64_t> offset;
  if (table.narrow) {
    offset = index_numbers.At<uint32_t>(at);
  } else {
    offset = index_numbers.At<uint64_t>(at);
  }
  // The linker writes them in order; who does not would make every look a read of its own.
  if (!offset || *offset < previous || *offset > UINT32_MAX) return std::nullopt;
  previous = *offset;
  return function_numbers.At<uint32_t>(table.functions + *offset + table.field_bytes());
}

}  // namespace

Result<std::vector<std::optional<Function>>> FindGoFunctions(
    const Elf& elf, const std::vector<std::string_view>& names) {
  const auto table = FindGoTable(elf);
  if (!table) return absl::NotFoundError("no table of Go functions");
  std::vector<std::optional<Function>> functions(names.size());
  const NameOffsets wanted = FindNames(elf, *table, names);
  Numbers index_numbers(elf);
  Numbers function_numbers(elf);
  uint64_t previous = 0;
  size_t left = wanted.size();
  for (uint64_t index = 0; left > 0 && index < table->count; ++index) {
    const auto name = NameOf(*table, index, previous, index_numbers, function_numbers);
    if (!name) break;
    auto match = std::ranges::lower_bound(wanted, std::pair<uint64_t, size_t>(*name, 0));
    for (; match != wanted.end() && match->first == *name; ++match) {
      if (functions[match->second]) continue;
      functions[match->second] = FunctionOf(elf, *table, index);
      if (functions[match->second]) --left;
    }
  }
  return functions;
}

}  // namespace sonde::binary
