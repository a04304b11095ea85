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

// Position of the first occurrence, from the beginning of the extent.
std::optional<uint64_t> FindIn(const ByteSource& bytes, Extent extent, std::string_view text,
                               bool as_suffix) {
  std::optional<uint64_t> found;
  const size_t overlap = text.size() + kMaxStringBytes;
  bytes.ForEachPiece(
      extent.offset, extent.size, overlap, [&](std::string_view piece, uint64_t position) {
        // NOLINTNEXTLINE(misc-include-cleaner): a GNU extension of <cstring>
        const void* hit = memmem(piece.data(), piece.size(), text.data(), text.size());
        if (hit == nullptr) return true;
        auto at = static_cast<size_t>(static_cast<const char*>(hit) - piece.data());
        if (as_suffix) {
          const size_t nul = at == 0 ? std::string_view::npos : piece.rfind('\0', at - 1);
          at = nul == std::string_view::npos ? 0 : nul + 1;
        }
        found = position + at;
        return false;
      });
  return found;
}

constexpr size_t kVersionBytes = 24;

// How much of the text is a number like 3.0.19; 0: it is none.
size_t VersionLength(std::string_view text) {
  text = text.substr(0, kVersionBytes);
  size_t at = 0;
  for (int part = 0; part < 3; ++part) {
    if (part > 0) {
      if (at >= text.size() || text[at] != '.') return 0;
      ++at;
    }
    const size_t digits = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    if (at == digits) return 0;
  }
  while (at < text.size() && text[at] >= 'a' && text[at] <= 'z') ++at;  // 1.1.1w
  return at;
}

}  // namespace

std::vector<Place> Elf::File::ReadOnlyData() const {
  std::vector<Place> places;
  for (const Section& section : sections) {
    constexpr auto kNotReadOnly = SHF_WRITE | SHF_EXECINSTR;
    if (!section.name.starts_with(".rodata") || (section.header.sh_flags & kNotReadOnly) != 0) {
      continue;
    }
    places.push_back({ExtentOf(section.header), section.header.sh_addr});
  }
  for (const Elf64_Phdr& segment : segments) {
    if (!places.empty()) break;  // sections tell better
    if ((segment.p_flags & PF_W) != 0) continue;
    const auto extent = Loaded(segment.p_vaddr);
    if (extent) places.push_back({*extent, segment.p_vaddr});
  }
  return places;
}

std::optional<uint64_t> Elf::FindString(std::string_view text, bool as_suffix) const {
  if (text.empty() || text.size() > kMaxStringBytes) return std::nullopt;
  std::string terminated(text);
  terminated.push_back('\0');
  for (const Place& place : file_->ReadOnlyData()) {
    const auto found = FindIn(file_->bytes, place.extent, terminated, as_suffix);
    if (found) return place.address + *found;
  }
  return std::nullopt;
}

std::string Elf::FindVersion(std::string_view prefix) const {
  if (prefix.empty() || prefix.size() > kMaxStringBytes) return {};
  std::string found;
  const auto visit = [&](std::string_view piece, uint64_t) {
    for (size_t at = 0; at < piece.size();) {
      const void* hit = memmem(piece.data() + at, piece.size() - at, prefix.data(), prefix.size());
      if (hit == nullptr) return true;
      const auto start = static_cast<size_t>(static_cast<const char*>(hit) - piece.data());
      at = start + prefix.size();
      const size_t length = VersionLength(piece.substr(at));
      if (length == 0) continue;
      found = piece.substr(start, prefix.size() + length);
      return false;
    }
    return true;
  };
  for (const Place& place : file_->ReadOnlyData()) {
    file_->bytes.ForEachPiece(place.extent.offset, place.extent.size, prefix.size() + kVersionBytes,
                              visit);
    if (!found.empty()) break;
  }
  return found;
}

}  // namespace sonde::binary
