// SPDX-License-Identifier: Apache-2.0
// Symbols by name. The strings are gone through once for the names wanted, then the symbols once
// for those strings: a table of a million symbols costs its reading, and nothing is kept.
#include <elf.h>

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/byte_source.h"
#include "binary/elf.h"
#include "binary/elf_file.h"

namespace sonde::binary {
namespace {

constexpr uint64_t kMaxStringsBytes = 256U << 20;
constexpr uint64_t kMaxSymbolsBytes = 192U << 20;
constexpr size_t kMaxNameBytes = 4096;
// A hostile table may name the same symbol a million times.
constexpr size_t kMaxOffsets = 1U << 16;

constexpr size_t Tail(const char* end) {
  return static_cast<uint8_t>(end[-1]) | static_cast<size_t>(static_cast<uint8_t>(end[-2])) << 8;
}

// visit(const Elf64_Sym&) returns false to stop.
template <typename Visit>
void ForEachSymbol(const ByteSource& bytes, Extent symbols, Visit visit) {
  const uint64_t size = std::min(symbols.size, kMaxSymbolsBytes);
  std::string cut;  // the part of a symbol at the end of a piece
  bytes.ForEachPiece(symbols.offset, size, 0, [&](std::string_view piece, uint64_t) {
    Elf64_Sym symbol{};
    if (!cut.empty()) {
      const size_t missing = std::min(sizeof(symbol) - cut.size(), piece.size());
      cut.append(piece.substr(0, missing));
      piece.remove_prefix(missing);
      if (cut.size() < sizeof(symbol)) return true;
      std::memcpy(&symbol, cut.data(), sizeof(symbol));
      cut.clear();
      if (!visit(symbol)) return false;
    }
    while (piece.size() >= sizeof(symbol)) {
      std::memcpy(&symbol, piece.data(), sizeof(symbol));
      if (!visit(symbol)) return false;
      piece.remove_prefix(sizeof(symbol));
    }
    cut = piece;
    return true;
  });
}

// Which of few numbers is it? The filter answers for nearly all that are none of them.
class OffsetSet {
 public:
  explicit OffsetSet(std::vector<std::pair<uint32_t, size_t>> offsets)
      : offsets_(std::move(offsets)) {
    for (const auto& [offset, name] : offsets_) filter_.set(offset % kBits);
  }
  // Index of the name, or nullopt.
  std::optional<size_t> Find(uint32_t offset) const {
    if (!filter_.test(offset % kBits)) return std::nullopt;
    const auto found = std::ranges::lower_bound(offsets_, std::pair<uint32_t, size_t>(offset, 0));
    if (found == offsets_.end() || found->first != offset) return std::nullopt;
    return found->second;
  }
  bool empty() const { return offsets_.empty(); }

 private:
  static constexpr size_t kBits = 1U << 16;
  std::vector<std::pair<uint32_t, size_t>> offsets_;
  std::bitset<kBits> filter_;
};

// Strings that contain something: where they begin, where in them it is last found.
struct Containing {
  uint64_t start = 0;
  uint64_t part = 0;
};

std::vector<Containing> StringsContaining(const ByteSource& bytes, Extent strings,
                                          std::string_view part) {
  std::vector<Containing> found;
  const uint64_t size = std::min(strings.size, kMaxStringsBytes);
  uint64_t next = 0;  // where the first string begins that was not seen as a whole yet
  bytes.ForEachPiece(
      strings.offset, size, kMaxNameBytes, [&](std::string_view piece, uint64_t position) {
        const size_t last = piece.rfind('\0');
        if (last == std::string_view::npos) return true;
        const std::string_view whole = piece.substr(0, last + 1);
        size_t from = next > position ? next - position : 0;
        next = position + last + 1;
        size_t at = 0;
        while ((at = whole.find(part, from)) != std::string_view::npos) {
          const std::string_view before = whole.substr(from, at - from);
          const size_t nul = before.rfind('\0');
          const size_t start = nul == std::string_view::npos ? from : from + nul + 1;
          const size_t end = whole.find('\0', at);
          found.push_back({position + start, position + whole.substr(0, end).rfind(part)});
          if (found.size() >= kMaxOffsets) return false;
          from = end + 1;
        }
        return true;
      });
  return found;
}

// Those that `is` accepts, with their names.
template <typename Is>
std::vector<std::pair<std::string, Symbol>> SymbolsContaining(
    const ByteSource& bytes, const std::vector<SymbolTable>& tables, std::string_view part,
    size_t limit, Is is) {
  std::vector<std::pair<std::string, Symbol>> found;
  if (part.empty() || part.size() > kMaxNameBytes) return found;
  for (const SymbolTable& table : tables) {
    const std::vector<Containing> strings = StringsContaining(bytes, table.strings, part);
    if (strings.empty()) continue;
    ForEachSymbol(bytes, table.symbols, [&](const Elf64_Sym& symbol) {
      if (found.size() >= limit) return false;
      const auto after =
          std::ranges::upper_bound(strings, uint64_t{symbol.st_name}, {}, &Containing::start);
      if (after == strings.begin() || std::prev(after)->part < symbol.st_name) return true;
      if (!is(symbol)) return true;
      std::string name = StringAt(bytes, table.strings, symbol.st_name);
      if (name.find(part) == std::string::npos) return true;
      const bool known = std::ranges::any_of(found, [&](const auto& other) {
        return other.second.address == symbol.st_value && other.first == name;
      });
      if (!known) found.emplace_back(std::move(name), Symbol{symbol.st_value, symbol.st_size});
      return true;
    });
  }
  return found;
}

}  // namespace

bool IsDefined(const Elf64_Sym& symbol) {
  const auto type = ELF64_ST_TYPE(symbol.st_info);
  return symbol.st_shndx != SHN_UNDEF && symbol.st_value != 0 &&
         (type == STT_FUNC || type == STT_OBJECT || type == STT_GNU_IFUNC);
}

std::optional<Elf64_Sym> SymbolByIndex(const ByteSource& bytes, const SymbolTable& table,
                                       uint32_t index) {
  const uint64_t at = uint64_t{index} * sizeof(Elf64_Sym);
  Elf64_Sym symbol{};
  if (at + sizeof(symbol) > table.symbols.size) return std::nullopt;
  if (!bytes.ReadObject(table.symbols.offset + at, symbol)) return std::nullopt;
  return symbol;
}

std::string StringAt(const ByteSource& bytes, Extent strings, uint64_t offset) {
  if (offset >= strings.size) return {};
  std::string text =
      bytes.Read(strings.offset + offset, std::min<uint64_t>(strings.size - offset, kMaxNameBytes));
  text.resize(std::min(text.size(), text.find('\0')));
  return text;
}

std::vector<std::pair<uint32_t, size_t>> NameOffsets(const ByteSource& bytes, Extent strings,
                                                     const std::vector<std::string_view>& names) {
  std::vector<std::pair<uint32_t, size_t>> offsets;
  std::bitset<1U << 16> tails;
  size_t longest = 0;
  for (const std::string_view name : names) {
    if (name.size() < 2 || name.size() > kMaxNameBytes) continue;
    tails.set(Tail(name.data() + name.size()));
    longest = std::max(longest, name.size());
  }
  if (longest == 0) return offsets;
  const uint64_t size = std::min(strings.size, kMaxStringsBytes);
  uint64_t next = 0;  // where the search goes on: not again through what pieces share
  bytes.ForEachPiece(
      strings.offset, size, longest + 1, [&](std::string_view piece, uint64_t position) {
        const char* const begin = piece.data();
        const char* const end = begin + piece.size();
        const char* at = begin + (next - position);
        const char* nul = nullptr;
        while (at < end && (nul = static_cast<const char*>(
                                std::memchr(at, '\0', static_cast<size_t>(end - at)))) != nullptr) {
          at = nul + 1;
          if (nul - begin < 2 || !tails.test(Tail(nul))) continue;
          const std::string_view before(begin, static_cast<size_t>(nul - begin));
          for (size_t i = 0; i < names.size(); ++i) {
            if (names[i].size() < 2 || !before.ends_with(names[i])) continue;
            const uint64_t offset = position + before.size() - names[i].size();
            offsets.emplace_back(static_cast<uint32_t>(offset), i);
          }
          if (offsets.size() >= kMaxOffsets) return false;
        }
        next = position + piece.size();
        return true;
      });
  std::ranges::sort(offsets);
  return offsets;
}

std::vector<std::optional<Symbol>> Elf::FindAll(const std::vector<std::string_view>& names) const {
  std::vector<std::optional<Symbol>> symbols(names.size());
  for (const SymbolTable& table : file_->tables) {
    const OffsetSet wanted(NameOffsets(file_->bytes, table.strings, names));
    if (wanted.empty()) continue;
    std::vector<std::optional<Symbol>> here(names.size());
    size_t missing = names.size();
    ForEachSymbol(file_->bytes, table.symbols, [&](const Elf64_Sym& symbol) {
      const auto name = wanted.Find(symbol.st_name);
      if (!name || here[*name] || !IsDefined(symbol)) return true;
      here[*name] = Symbol{symbol.st_value, symbol.st_size};
      return --missing > 0;
    });
    for (size_t i = 0; i < names.size(); ++i) {
      if (!symbols[i]) symbols[i] = here[i];
    }
  }
  return symbols;
}

std::optional<Symbol> Elf::Find(std::string_view name) const { return FindAll({name}).front(); }

std::vector<std::pair<std::string, Symbol>> Elf::FindContaining(std::string_view part,
                                                                size_t limit) const {
  return SymbolsContaining(file_->bytes, file_->tables, part, limit, [](const Elf64_Sym& symbol) {
    return IsDefined(symbol) && ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT;
  });
}

std::vector<std::pair<std::string, Symbol>> Elf::FindThreadLocals(std::string_view part,
                                                                  size_t limit) const {
  return SymbolsContaining(file_->bytes, file_->tables, part, limit, [](const Elf64_Sym& symbol) {
    return symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_TLS;
  });
}

std::optional<Function> FunctionBySymbol(const ByteSource& bytes, const SymbolTable& table,
                                         uint64_t address) {
  std::optional<Function> best;
  ForEachSymbol(bytes, table.symbols, [&](const Elf64_Sym& symbol) {
    if (address < symbol.st_value || address - symbol.st_value >= symbol.st_size) return true;
    uint64_t end = 0;
    if (!IsDefined(symbol) || ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT ||
        __builtin_add_overflow(symbol.st_value, symbol.st_size, &end)) {
      return true;
    }
    if (!best || symbol.st_size < best->end - best->start) best = Function{symbol.st_value, end};
    return true;
  });
  return best;
}

}  // namespace sonde::binary
