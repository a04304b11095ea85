// SPDX-License-Identifier: Apache-2.0
// Header, sections and segments; reading by address. Symbols, relocations and unwind tables have
// files of their own.
#include "binary/elf.h"

#include <absl/status/status.h>
#include <elf.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/byte_source.h"
#include "binary/elf_file.h"
#include "sonde/base/result.h"

namespace sonde::binary {
namespace {

// Far above what linkers write; a file with more is read as far as that.
constexpr size_t kMaxSections = 4096;
constexpr size_t kMaxSegments = 128;
constexpr uint64_t kMaxSectionNameBytes = 256U << 10;

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#endif

bool IsElf(const Elf64_Ehdr& header) {
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
         header.e_machine == kMachine && (header.e_type == ET_EXEC || header.e_type == ET_DYN);
}

struct Segments {
  std::vector<Elf64_Phdr>& load;
  Elf64_Phdr& thread;
  Elf64_Phdr& unwind;
};

void ReadSegments(const Elf64_Ehdr& header, const ByteSource& bytes, Segments to) {
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return;
  const size_t count = std::min<size_t>(header.e_phnum, kMaxSegments);
  const std::string table = bytes.Read(header.e_phoff, count * sizeof(Elf64_Phdr));
  for (size_t at = 0; at + sizeof(Elf64_Phdr) <= table.size(); at += sizeof(Elf64_Phdr)) {
    Elf64_Phdr segment{};
    std::memcpy(&segment, table.data() + at, sizeof(segment));
    if (segment.p_type == PT_LOAD) to.load.push_back(segment);
    if (segment.p_type == PT_TLS) to.thread = segment;
    if (segment.p_type == PT_GNU_EH_FRAME) to.unwind = segment;
  }
}

template <typename Section>
void ReadSections(const Elf64_Ehdr& header, const ByteSource& bytes,
                  std::vector<Section>& sections) {
  if (header.e_shentsize != sizeof(Elf64_Shdr)) return;
  const size_t count = std::min<size_t>(header.e_shnum, kMaxSections);
  const std::string table = bytes.Read(header.e_shoff, count * sizeof(Elf64_Shdr));
  sections.resize(table.size() / sizeof(Elf64_Shdr));
  for (size_t i = 0; i < sections.size(); ++i) {
    std::memcpy(&sections[i].header, table.data() + i * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr));
  }
  if (header.e_shstrndx >= sections.size()) return;
  const Elf64_Shdr& strings = sections[header.e_shstrndx].header;
  const std::string names =
      bytes.Read(strings.sh_offset, std::min<uint64_t>(strings.sh_size, kMaxSectionNameBytes));
  for (Section& section : sections) {
    if (section.header.sh_name >= names.size()) continue;
    constexpr size_t kMaxName = 64;
    const std::string_view rest = std::string_view(names).substr(section.header.sh_name, kMaxName);
    section.name = rest.substr(0, rest.find('\0'));
  }
}

}  // namespace

const Elf::File::Section* Elf::File::Named(std::string_view name) const {
  const auto found =
      std::ranges::find_if(sections, [&](const Section& section) { return section.name == name; });
  return found == sections.end() ? nullptr : &*found;
}

Extent Elf::File::ExtentOf(const Elf64_Shdr& header) const {
  if (header.sh_type == SHT_NOBITS || header.sh_offset >= bytes.size()) return {};
  return {header.sh_offset, std::min<uint64_t>(header.sh_size, bytes.size() - header.sh_offset)};
}

std::optional<Extent> Elf::File::Loaded(uint64_t address) const {
  for (const Elf64_Phdr& segment : segments) {
    if (address < segment.p_vaddr) continue;
    const uint64_t inside = address - segment.p_vaddr;
    if (inside >= segment.p_filesz) continue;
    uint64_t offset = 0;
    if (__builtin_add_overflow(segment.p_offset, inside, &offset)) return std::nullopt;
    if (offset >= bytes.size()) return std::nullopt;
    return Extent{offset, std::min(segment.p_filesz - inside, bytes.size() - offset)};
  }
  return std::nullopt;
}

void Elf::File::FindTables() {
  for (const uint32_t type : {SHT_DYNSYM, SHT_SYMTAB}) {
    const auto found = std::ranges::find_if(
        sections, [&](const Section& section) { return section.header.sh_type == type; });
    if (found == sections.end() || found->header.sh_link >= sections.size()) continue;
    const Elf64_Shdr& strings = sections[found->header.sh_link].header;
    tables.push_back({ExtentOf(found->header), ExtentOf(strings)});
    if (type == SHT_DYNSYM) dynamic = tables.back();
  }
  for (const Section& section : sections) {
    if (section.header.sh_type != SHT_RELA || (section.header.sh_flags & SHF_ALLOC) == 0) continue;
    relocations.push_back(ExtentOf(section.header));
  }
}

Elf::Elf(std::unique_ptr<File> file) : file_(std::move(file)) {}
Elf::~Elf() = default;

Result<std::unique_ptr<Elf>> Elf::FromSource(ByteSource source) {
  auto file = std::make_unique<File>(std::move(source));
  Elf64_Ehdr header{};
  if (!file->bytes.ReadObject(0, header) || !IsElf(header)) {
    return absl::InvalidArgumentError("not an ELF file of this machine");
  }
  Elf64_Phdr unwind{};
  ReadSegments(header, file->bytes, {file->segments, file->thread, unwind});
  ReadSections(header, file->bytes, file->sections);
  file->unwind_address = unwind.p_vaddr;
  file->unwind = {unwind.p_offset, unwind.p_filesz};
  file->FindTables();
  return std::unique_ptr<Elf>(new Elf(std::move(file)));
}

Result<std::unique_ptr<Elf>> Elf::Open(int fd) {
  auto source = ByteSource::FromFd(fd);
  if (!source.ok()) return source.status();
  return FromSource(*std::move(source));
}

Result<std::unique_ptr<Elf>> Elf::FromBytes(std::string bytes) {
  return FromSource(ByteSource::FromBytes(std::move(bytes)));
}

std::optional<uint64_t> Elf::ThreadBytes() const {
  constexpr uint64_t kMaxBytes = 1U << 30;
  const uint64_t size = file_->thread.p_memsz;
  const uint64_t alignment = std::max<uint64_t>(file_->thread.p_align, 1);
  if (size == 0 || size > kMaxBytes || alignment > kMaxBytes) return std::nullopt;
  return (size + alignment - 1) / alignment * alignment;
}

bool Elf::has_symtab() const {
  return std::ranges::any_of(file_->sections, [](const auto& section) {
    return section.header.sh_type == SHT_SYMTAB && section.header.sh_size > sizeof(Elf64_Sym);
  });
}

std::string Elf::Section(std::string_view name) const {
  const File::Section* section = file_->Named(name);
  if (section == nullptr) return {};
  const Extent extent = file_->ExtentOf(section->header);
  return file_->bytes.Read(extent.offset, extent.size);
}

std::optional<uint64_t> Elf::SectionAddress(std::string_view name) const {
  const File::Section* section = file_->Named(name);
  if (section == nullptr || section->header.sh_addr == 0) return std::nullopt;
  return section->header.sh_addr;
}

std::string Elf::Read(uint64_t address, size_t size) const {
  const auto extent = file_->Loaded(address);
  if (!extent) return {};
  return file_->bytes.Read(extent->offset, std::min<uint64_t>(size, extent->size));
}

std::vector<Segment> Elf::Segments() const {
  std::vector<Segment> segments;
  for (const Elf64_Phdr& segment : file_->segments) {
    const auto extent = file_->Loaded(segment.p_vaddr);
    if (!extent) continue;
    segments.push_back({segment.p_vaddr, extent->size, (segment.p_flags & PF_W) != 0,
                        (segment.p_flags & PF_X) != 0});
  }
  return segments;
}

std::optional<uint64_t> Elf::CodeOffset(uint64_t address) const {
  const auto extent = file_->Loaded(address);
  if (!extent) return std::nullopt;
  const bool code = std::ranges::any_of(file_->segments, [&](const Elf64_Phdr& segment) {
    return (segment.p_flags & PF_X) != 0 && address >= segment.p_vaddr &&
           address - segment.p_vaddr < segment.p_filesz;
  });
  if (!code) return std::nullopt;
  return extent->offset;
}

}  // namespace sonde::binary
