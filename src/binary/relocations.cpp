// SPDX-License-Identifier: Apache-2.0
// What the dynamic linker would write: pointers in data, and the imports behind PLT stubs.
#include <elf.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/byte_source.h"
#include "binary/elf.h"
#include "binary/elf_file.h"
#include "binary/references.h"

namespace sonde::binary {
namespace {

constexpr uint64_t kMaxRelocationsBytes = 96U << 20;
constexpr uint64_t kMaxDataBytes = 64U << 20;
constexpr size_t kMaxImports = 1U << 16;

#if defined(__x86_64__)
constexpr uint32_t kRelative = R_X86_64_RELATIVE;
constexpr uint32_t kAbsolute = R_X86_64_64;
constexpr uint32_t kGotEntry = R_X86_64_GLOB_DAT;
constexpr uint32_t kPltSlot = R_X86_64_JUMP_SLOT;
constexpr uint32_t kModule = R_X86_64_DTPMOD64;
#elif defined(__aarch64__)
constexpr uint32_t kRelative = R_AARCH64_RELATIVE;
constexpr uint32_t kAbsolute = R_AARCH64_ABS64;
constexpr uint32_t kGotEntry = R_AARCH64_GLOB_DAT;
constexpr uint32_t kPltSlot = R_AARCH64_JUMP_SLOT;
constexpr uint32_t kModule = R_AARCH64_TLS_DTPMOD;
#endif

// visit(const Elf64_Rela&) returns false to stop.
template <typename Visit>
void ForEachRelocation(const ByteSource& bytes, Extent table, Visit visit) {
  const uint64_t size = std::min(table.size, kMaxRelocationsBytes);
  // Of what is left over at the end of a piece, the next begins with more than enough.
  uint64_t next = 0;
  bytes.ForEachPiece(
      table.offset, size, sizeof(Elf64_Rela), [&](std::string_view piece, uint64_t position) {
        Elf64_Rela relocation{};
        while (next + sizeof(relocation) <= position + piece.size()) {
          std::memcpy(&relocation, piece.data() + (next - position), sizeof(relocation));
          if (!visit(relocation)) return false;
          next += sizeof(relocation);
        }
        return true;
      });
}

}  // namespace

std::optional<uint64_t> Elf::Pointer(uint64_t address) const {
  const std::optional<SymbolTable>& dynamic = file_->dynamic;
  std::optional<Elf64_Rela> found;
  for (const Extent& table : file_->relocations) {
    ForEachRelocation(file_->bytes, table, [&](const Elf64_Rela& relocation) {
      if (relocation.r_offset == address) found = relocation;
      return !found;
    });
    if (found) break;
  }
  if (!found) {  // of an executable without relocations, or packed ones, which add to what is here
    const std::string stored = Read(address, sizeof(uint64_t));
    uint64_t value = 0;
    if (stored.size() != sizeof(value)) return std::nullopt;
    std::memcpy(&value, stored.data(), sizeof(value));
    return value;
  }
  const auto type = static_cast<uint32_t>(ELF64_R_TYPE(found->r_info));
  const auto addend = static_cast<uint64_t>(found->r_addend);
  if (type == kRelative) return addend;
  if ((type != kAbsolute && type != kGotEntry && type != kPltSlot) || !dynamic) {
    return std::nullopt;
  }
  const auto symbol =
      SymbolByIndex(file_->bytes, *dynamic, static_cast<uint32_t>(ELF64_R_SYM(found->r_info)));
  if (!symbol || !IsDefined(*symbol)) return std::nullopt;
  return symbol->st_value + (type == kAbsolute ? addend : 0);
}

std::optional<uint64_t> Elf::ThreadLocalSlot(uint64_t distance) const {
  std::optional<uint64_t> slot;
  const auto is_here = [&](const Elf64_Rela& relocation) {
    const auto index = static_cast<uint32_t>(ELF64_R_SYM(relocation.r_info));
    if (index == 0) {  // the linker knew the distance
      const std::string stored = Read(relocation.r_offset + sizeof(uint64_t), sizeof(distance));
      return stored.size() == sizeof(distance) &&
             std::memcmp(stored.data(), &distance, sizeof(distance)) == 0;
    }
    if (!file_->dynamic) return false;
    const auto symbol = SymbolByIndex(file_->bytes, *file_->dynamic, index);
    return symbol && symbol->st_shndx != SHN_UNDEF && symbol->st_value == distance;
  };
  size_t looks = 256;  // libjvm has 16
  for (const Extent& table : file_->relocations) {
    ForEachRelocation(file_->bytes, table, [&](const Elf64_Rela& relocation) {
      if (ELF64_R_TYPE(relocation.r_info) != kModule) return true;
      if (is_here(relocation)) slot = relocation.r_offset;
      return !slot && --looks > 0;
    });
    if (slot) break;
  }
  return slot;
}

std::vector<uint64_t> Elf::FindPointers(uint64_t address, size_t limit) const {
  std::vector<uint64_t> found;
  const auto add = [&](uint64_t place) {
    found.push_back(place);
    return found.size() < limit;
  };
  for (const Extent& table : file_->relocations) {
    ForEachRelocation(file_->bytes, table, [&](const Elf64_Rela& relocation) {
      const bool relative = static_cast<uint32_t>(ELF64_R_TYPE(relocation.r_info)) == kRelative;
      const bool wanted = relative && static_cast<uint64_t>(relocation.r_addend) == address;
      return !wanted || add(relocation.r_offset);
    });
    if (found.size() >= limit) return found;
  }
  if (!found.empty()) return found;
  // Of an executable without relocations, or packed ones.
  const std::string wanted(reinterpret_cast<const char*>(&address), sizeof(address));
  for (const Elf64_Phdr& segment : file_->segments) {
    const auto extent = file_->Loaded(segment.p_vaddr);
    if ((segment.p_flags & PF_W) == 0 || !extent) continue;
    file_->bytes.ForEachPiece(extent->offset, std::min(extent->size, kMaxDataBytes),
                              sizeof(address), [&](std::string_view piece, uint64_t position) {
                                for (size_t at = piece.find(wanted); at != std::string_view::npos;
                                     at = piece.find(wanted, at + 1)) {
                                  const uint64_t stored = segment.p_vaddr + position + at;
                                  if (stored % sizeof(address) != 0) continue;
                                  if (!found.empty() && found.back() == stored) continue;
                                  if (!add(stored)) return false;
                                }
                                return true;
                              });
    if (found.size() >= limit) return found;
  }
  return found;
}

std::string Elf::ImportAt(uint64_t address) const {
  constexpr size_t kStubBytes = 16;
  const auto slot = native::SlotOfStub(Read(address, kStubBytes), address);
  return slot ? ImportOfSlot(*slot) : std::string();
}

std::string Elf::ImportOfSlot(uint64_t slot) const {
  const std::optional<SymbolTable>& dynamic = file_->dynamic;
  if (!dynamic) return {};
  std::call_once(file_->imports_once, [this] {
    for (const Extent& table : file_->relocations) {
      ForEachRelocation(file_->bytes, table, [&](const Elf64_Rela& relocation) {
        const auto type = static_cast<uint32_t>(ELF64_R_TYPE(relocation.r_info));
        if (type == kGotEntry || type == kPltSlot) {
          file_->imports.emplace_back(relocation.r_offset,
                                      static_cast<uint32_t>(ELF64_R_SYM(relocation.r_info)));
        }
        return file_->imports.size() < kMaxImports;
      });
    }
    std::ranges::sort(file_->imports);
  });
  const auto found = std::lower_bound(file_->imports.begin(), file_->imports.end(),
                                      std::pair<uint64_t, uint32_t>(slot, 0));
  if (found == file_->imports.end() || found->first != slot) return {};
  const auto symbol = SymbolByIndex(file_->bytes, *dynamic, found->second);
  return symbol ? StringAt(file_->bytes, dynamic->strings, symbol->st_name) : std::string();
}

}  // namespace sonde::binary
