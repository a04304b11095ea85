// SPDX-License-Identifier: Apache-2.0
// Where a Go program's table of functions, pclntab, is and how it is laid out. Private to
// src/binary; for the search in it see go_functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>

#include "binary/elf.h"

namespace sonde::binary {

// cmd/link/internal/ld/pcln.go, generateFunctab; runtime/symtab.go, pcHeader and _func. All
// addresses are of the file.
struct GoTable {
  uint64_t names = 0;  // NUL-terminated names, which _func has offsets into
  uint64_t names_size = 0;
  uint64_t functions = 0;  // {entry, offset of _func from here} per function, ascending; then the
                           // end of the last
  uint64_t count = 0;
  bool narrow = true;  // Go 1.18: both numbers have 4 bytes, entries are offsets from `text`;
                       // before: 8 bytes, and addresses
  uint64_t text = 0;

  uint64_t field_bytes() const { return narrow ? 4 : 8; }
  uint64_t function_at(uint64_t index) const { return functions + index * 2 * field_bytes(); }
};

std::optional<GoTable> FindGoTable(const Elf& elf);

// Address that the function of this index begins at, or for index = count where the last one ends.
std::optional<uint64_t> EntryOf(const Elf& elf, const GoTable& table, uint64_t index);

template <typename T>
std::optional<T> ReadObject(const Elf& elf, uint64_t address) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::string bytes = elf.Read(address, sizeof(T));
  if (bytes.size() != sizeof(T)) return std::nullopt;
  T object;
  std::memcpy(&object, bytes.data(), sizeof(T));
  return object;
}

}  // namespace sonde::binary
