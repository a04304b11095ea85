// SPDX-License-Identifier: Apache-2.0
// What Elf keeps of a file: its tables of sections and segments, and where to read on. Private to
// src/binary.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/byte_source.h"
#include "binary/elf.h"

namespace sonde::binary {

// A section or a part of one, in the file.
struct Extent {
  uint64_t offset = 0;
  uint64_t size = 0;
};

// The same, and where it is loaded.
struct Place {
  Extent extent;
  uint64_t address = 0;
};

// Symbols and the strings that name them.
struct SymbolTable {
  Extent symbols;
  Extent strings;
};

struct Elf::File {
  struct Section {
    std::string name;
    Elf64_Shdr header{};
  };

  explicit File(ByteSource source) : bytes(std::move(source)) {}

  // Fills what is below from sections.
  void FindTables();
  const Section* Named(std::string_view name) const;
  // The section's bytes that the file has, none for SHT_NOBITS.
  Extent ExtentOf(const Elf64_Shdr& header) const;
  // Where `address` is in the file and how many bytes follow in its segment.
  std::optional<Extent> Loaded(uint64_t address) const;

  // Sections of constants, or if there are no sections, segments that are not written to.
  std::vector<Place> ReadOnlyData() const;

  ByteSource bytes;
  std::vector<Section> sections;
  std::vector<Elf64_Phdr> segments;  // PT_LOAD
  Elf64_Phdr thread{};               // PT_TLS
  Extent unwind;                     // .eh_frame_hdr
  uint64_t unwind_address = 0;
  std::vector<SymbolTable> tables;     // .dynsym, then .symtab
  std::vector<Extent> relocations;     // SHT_RELA that the loader applies
  std::optional<SymbolTable> dynamic;  // what relocations name symbols of

  // Computed when first asked for.
  std::once_flag imports_once;
  std::vector<std::pair<uint64_t, uint32_t>> imports;  // GOT slot, symbol; ascending
  std::once_flag starts_once;
  std::vector<uint64_t> starts;
};

// symbols.cpp

// Offsets in `strings` at which one of `names` stands, NUL-terminated (possibly as the end of a
// longer string, as linkers merge them), with the index of the name; ascending.
std::vector<std::pair<uint32_t, size_t>> NameOffsets(const ByteSource& bytes, Extent strings,
                                                     const std::vector<std::string_view>& names);
// What sonde takes for a symbol: a function or object that is defined here.
bool IsDefined(const Elf64_Sym& symbol);
std::optional<Elf64_Sym> SymbolByIndex(const ByteSource& bytes, const SymbolTable& table,
                                       uint32_t index);
// Text at `offset` up to its NUL, at most 4096 bytes.
std::string StringAt(const ByteSource& bytes, Extent strings, uint64_t offset);
// The smallest defined function of the table that `address` lies in.
std::optional<Function> FunctionBySymbol(const ByteSource& bytes, const SymbolTable& table,
                                         uint64_t address);

}  // namespace sonde::binary
