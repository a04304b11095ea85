// SPDX-License-Identifier: Apache-2.0
#include "binary/go_table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "binary/elf.h"

namespace sonde::binary {
namespace {

constexpr uint32_t kMagic116 = 0xfffffffa;
constexpr uint32_t kMagic118 = 0xfffffff0;
constexpr uint32_t kMagic120 = 0xfffffff1;

// Far above the largest programs known (half a million functions, 20 MB of names).
constexpr uint64_t kMaxFunctions = 4U << 20;
constexpr uint64_t kMaxNamesBytes = 128U << 20;
constexpr uint64_t kMaxTableBytes = 1U << 30;
constexpr uint64_t kMaxTextBytes = 1U << 31;

// Of pcHeader; the words are at most eight.
struct Header {
  uint32_t magic;
  uint16_t zero;
  uint8_t quantum;  // 1 on x86-64, 4 on arm64
  uint8_t pointer_bytes;
  std::array<uint64_t, 8> words;
};
static_assert(sizeof(Header) == 72);

// What follows the first byte of the header: it is the same in all versions.
std::string_view Beginning() {
#if defined(__x86_64__)
  return {"\xff\xff\xff\0\0\1\x08", 7};
#else
  return {"\xff\xff\xff\0\0\4\x08", 7};
#endif
}

// All but `text`.
std::optional<GoTable> ParseHeader(const Header& header, uint64_t address) {
  const bool old = header.magic == kMagic116;
  if (!old && header.magic != kMagic118 && header.magic != kMagic120) return std::nullopt;
  if (header.zero != 0 || header.pointer_bytes != 8) return std::nullopt;
  // 1.16: functions, files, names, units, files, pcs, functions; 1.18 has the text after two.
  const uint64_t* offsets = header.words.data() + (old ? 2 : 3);
  const uint64_t names = offsets[0];
  const uint64_t units = offsets[1];
  const uint64_t functions = offsets[4];
  const uint64_t count = header.words[0];
  if (count == 0 || count > kMaxFunctions) return std::nullopt;
  if (names < sizeof(Header) - sizeof(uint64_t) || names >= units || units > functions ||
      functions > kMaxTableBytes) {
    return std::nullopt;
  }
  GoTable table;
  table.names = address + names;
  table.names_size = std::min(units - names, kMaxNamesBytes);
  table.functions = address + functions;
  table.count = count;
  table.narrow = !old;
  return table;
}

bool IsText(const Elf& elf, uint64_t text) { return elf.CodeOffset(text).has_value(); }

// Address of the first place in loaded data at which `text` stands and `accept`
// returns true.
template <typename Accept>
std::optional<uint64_t> FindInData(const Elf& elf, std::string_view text, Accept accept) {
  constexpr size_t kPieceBytes = 256U << 10;
  for (const Segment& segment : elf.Segments()) {
    if (segment.executable) continue;
    for (uint64_t at = 0; at < segment.size; at += kPieceBytes) {
      const std::string piece = elf.Read(segment.address + at, kPieceBytes + text.size() - 1);
      for (size_t hit = piece.find(text); hit != std::string::npos;
           hit = piece.find(text, hit + 1)) {
        if (accept(segment.address + at + hit)) return segment.address + at + hit;
      }
      if (piece.size() < kPieceBytes) break;
    }
  }
  return std::nullopt;
}

// moduledata begins with a pointer to the table. In a file without names of sections that is looked
// for, as far as it stands in the file and not in a relocation.
std::optional<uint64_t> ModuleOf(const Elf& elf, uint64_t address) {
  if (const auto module = elf.SectionAddress(".go.module")) {
    return elf.Pointer(*module) == address ? module : std::nullopt;
  }
  if (elf.SectionAddress(".text")) return std::nullopt;
  std::string pointer(sizeof(address), '\0');
  std::memcpy(pointer.data(), &address, sizeof(address));
  return FindInData(elf, pointer, [](uint64_t at) { return at % sizeof(uint64_t) == 0; });
}

// Go 1.26 keeps the beginning of the text in moduledata only. There stand, one after the other, the
// beginning of the first function, the end of the last, and the text's beginning; the functions'
// table tells the differences, so they are found whatever fields a version has before them.
std::optional<uint64_t> TextOfModule(const Elf& elf, const GoTable& table, uint64_t address) {
  const auto first = ReadObject<uint32_t>(elf, table.function_at(0));
  const auto end = ReadObject<uint32_t>(elf, table.function_at(table.count));
  if (!first || !end || *first >= *end) return std::nullopt;
  const auto module = ModuleOf(elf, address);
  if (!module) return std::nullopt;
  // In 1.26 at the word 20; every look at a word may cost one pass over the relocations.
  constexpr size_t kExpected = 20;
  constexpr size_t kWords = 40;
  std::array<std::optional<uint64_t>, kWords + 2> words;
  const auto text_beside = [&](size_t word) -> std::optional<uint64_t> {
    for (size_t i = word; i < word + 3; ++i) {
      if (!words.at(i)) words.at(i) = elf.Pointer(*module + i * 8).value_or(0);
    }
    const uint64_t text = *words.at(word + 2);
    const bool fits = *words.at(word) == text + *first && *words.at(word + 1) == text + *end;
    return fits && text != 0 && IsText(elf, text) ? std::optional(text) : std::nullopt;
  };
  auto text = text_beside(kExpected);
  for (size_t word = 1; !text && word < kWords; ++word) text = text_beside(word);
  return text;
}

std::optional<uint64_t> TextOf(const Elf& elf, const GoTable& table, uint64_t address) {
  if (!table.narrow) return 0;
  constexpr uint64_t kTextAt = 24;  // in the header; 0 since Go 1.26
  const auto text = elf.Pointer(address + kTextAt);
  if (text && *text != 0 && IsText(elf, *text)) return text;
  if (const auto found = TextOfModule(elf, table, address)) return found;
  const auto symbol = elf.Find("runtime.text");
  if (symbol && IsText(elf, symbol->address)) return symbol->address;
  return std::nullopt;
}

std::optional<GoTable> TableAt(const Elf& elf, uint64_t address) {
  const auto header = ReadObject<Header>(elf, address);
  auto table = header ? ParseHeader(*header, address) : std::nullopt;
  if (!table) return std::nullopt;
  const auto text = TextOf(elf, *table, address);
  if (!text) return std::nullopt;
  table->text = *text;
  return table;
}

// A linker that is not Go's puts the table of a position-independent program among other data; and
// a file may have lost the names of its sections.
std::optional<GoTable> SearchTable(const Elf& elf) {
  std::optional<GoTable> table;
  size_t candidates = 16;
  FindInData(elf, Beginning(), [&](uint64_t at) {
    const auto header = ReadObject<Header>(elf, at - 1);
    if (!header || !ParseHeader(*header, at - 1)) return false;
    table = TableAt(elf, at - 1);
    return table || --candidates == 0;
  });
  return table;
}

}  // namespace

std::optional<GoTable> FindGoTable(const Elf& elf) {
  for (const std::string_view name : {".gopclntab", ".data.rel.ro.gopclntab"}) {
    const auto address = elf.SectionAddress(name);
    if (!address) continue;
    if (auto table = TableAt(elf, *address)) return table;
  }
  // Every other file would be searched in vain.
  const bool go = elf.SectionAddress(".go.buildinfo").has_value();
  const bool nameless = !elf.SectionAddress(".text").has_value();
  return go || nameless ? SearchTable(elf) : std::nullopt;
}

std::optional<uint64_t> EntryOf(const Elf& elf, const GoTable& table, uint64_t index) {
  const uint64_t at = table.function_at(index);
  if (!table.narrow) return elf.Pointer(at);
  const auto offset = ReadObject<uint32_t>(elf, at);
  if (!offset || *offset > kMaxTextBytes) return std::nullopt;
  return table.text + *offset;
}

}  // namespace sonde::binary
