// SPDX-License-Identifier: Apache-2.0
// Texts in read-only data.
#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "binary/byte_source.h"
#include "binary/elf.h"
#include "binary/elf_file.h"

namespace sonde::binary {
namespace {

// A string that ends as wanted is not looked at further back than that.
constexpr size_t kMaxStringBytes = 4096;

struct Place {
  Extent extent;
  uint64_t address = 0;
};

// Position of the first occurrence, from the beginning of the extent.
std::optional<uint64_t> FindIn(const ByteSource& bytes, Extent extent, std::string_view text,
                               bool as_suffix) {
  std::optional<uint64_t> found;
  const size_t overlap = text.size() + kMaxStringBytes;
  bytes.ForEachPiece(
      extent.offset, extent.size, overlap, [&](std::string_view piece, uint64_t position) {
        const void* hit = memmem(piece.data(), piece.size(), text.data(), text.size());
        if (hit == nullptr) return true;
        size_t at = static_cast<size_t>(static_cast<const char*>(hit) - piece.data());
        if (as_suffix) {
          const size_t nul = at == 0 ? std::string_view::npos : piece.rfind('\0', at - 1);
          at = nul == std::string_view::npos ? 0 : nul + 1;
        }
        found = position + at;
        return false;
      });
  return found;
}

}  // namespace

std::optional<uint64_t> Elf::FindString(std::string_view text, bool as_suffix) const {
  if (text.empty() || text.size() > kMaxStringBytes) return std::nullopt;
  std::string terminated(text);
  terminated.push_back('\0');
  std::vector<Place> places;
  for (const File::Section& section : file_->sections) {
    constexpr auto kNotReadOnly = SHF_WRITE | SHF_EXECINSTR;
    if (!section.name.starts_with(".rodata") || (section.header.sh_flags & kNotReadOnly) != 0) {
      continue;
    }
    places.push_back({file_->ExtentOf(section.header), section.header.sh_addr});
  }
  for (const Elf64_Phdr& segment : file_->segments) {
    if (!places.empty()) break;  // sections tell better
    if ((segment.p_flags & PF_W) != 0) continue;
    const auto extent = file_->Loaded(segment.p_vaddr);
    if (extent) places.push_back({*extent, segment.p_vaddr});
  }
  for (const Place& place : places) {
    const auto found = FindIn(file_->bytes, place.extent, terminated, as_suffix);
    if (found) return place.address + *found;
  }
  return std::nullopt;
}

}  // namespace sonde::binary
