// SPDX-License-Identifier: Apache-2.0
#include "discovery/elf_facts.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::discovery {
namespace {

constexpr size_t kMaxSections = 512;
constexpr size_t kMaxNamesBytes = 16U << 10;
constexpr size_t kMaxStringsBytes = 128U << 10;
constexpr size_t kMaxCommentBytes = 4096;
constexpr size_t kBuildInfoBytes = 256;  // header, and a version of at most 127 bytes

class File {
 public:
  explicit File(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Up to `size` bytes at `offset`; fewer at the end of the file.
  std::string Read(uint64_t offset, size_t size) const {
    std::string bytes(size, '\0');
    const ssize_t got = fd_ < 0 ? -1 : pread(fd_, bytes.data(), size, static_cast<off_t>(offset));
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
  }
  std::string Read(const Elf64_Shdr& section, size_t limit) const {
    return Read(section.sh_offset, static_cast<size_t>(std::min<uint64_t>(section.sh_size, limit)));
  }

 private:
  int fd_;
};

// 64-bit little-endian, which both supported architectures are.
bool ReadHeader(const File& file, Elf64_Ehdr& header) {
  const std::string bytes = file.Read(0, sizeof(header));
  if (bytes.size() != sizeof(header)) return false;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB;
}

std::vector<Elf64_Shdr> ReadSections(const File& file, const Elf64_Ehdr& header) {
  if (header.e_shentsize != sizeof(Elf64_Shdr)) return {};
  const size_t count = std::min<size_t>(header.e_shnum, kMaxSections);
  const std::string bytes = file.Read(header.e_shoff, count * sizeof(Elf64_Shdr));
  std::vector<Elf64_Shdr> sections(bytes.size() / sizeof(Elf64_Shdr));
  if (!sections.empty()) {
    std::memcpy(sections.data(), bytes.data(), sections.size() * sizeof(Elf64_Shdr));
  }
  return sections;
}

// debug/buildinfo: 14 bytes of magic, pointer size, flags; flag 2: at 32 stands a varint length and
// the version.
std::string GoVersion(std::string_view section) {
  constexpr std::string_view kMagic("\xff Go buildinf:", 14);
  constexpr size_t kFlagsAt = 15;
  constexpr size_t kInlineAt = 32;
  if (section.size() <= kInlineAt || !section.starts_with(kMagic)) return {};
  if ((static_cast<uint8_t>(section[kFlagsAt]) & 2U) == 0) return {};
  const auto length = static_cast<uint8_t>(section[kInlineAt]);
  if (length >= 0x80 || kInlineAt + 1 + length > section.size()) return {};
  const std::string_view version = section.substr(kInlineAt + 1, length);
  return version.starts_with("go") ? std::string(version) : std::string();
}

bool Contains(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

}  // namespace

ElfFacts ReadElfFacts(const std::string& path) {
  ElfFacts facts;
  const File file(path);
  Elf64_Ehdr header{};
  if (!ReadHeader(file, header)) return facts;
  facts.elf = true;
  const std::vector<Elf64_Shdr> sections = ReadSections(file, header);
  if (header.e_shstrndx >= sections.size()) return facts;
  const std::string names = file.Read(sections[header.e_shstrndx], kMaxNamesBytes);
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_name >= names.size() || section.sh_type == SHT_NOBITS) continue;
    const std::string_view name(names.c_str() + section.sh_name);
    if (name == ".go.buildinfo") {
      facts.go = true;
      facts.go_version = GoVersion(file.Read(section, kBuildInfoBytes));
    } else if (name == ".comment") {
      facts.rust = Contains(file.Read(section, kMaxCommentBytes), "rustc version");
    } else if (name == ".dynstr") {
      const std::string strings = file.Read(section, kMaxStringsBytes);
      facts.cpp = Contains(strings, "libstdc++.so") || Contains(strings, "libc++.so");
      facts.python = Contains(strings, "libpython");
    }
  }
  return facts;
}

}  // namespace sonde::discovery
