// SPDX-License-Identifier: Apache-2.0
// An ELF file of sections and symbols that a test chooses, and no more.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::testing {

class ElfImage {
 public:
  static constexpr uint64_t kBase = 0x400000;
  static constexpr uint64_t kFirst = 0x100;  // offset of the first section

  // Returns its address. The first is executable, the others are data.
  uint64_t Append(std::string_view name, std::string_view bytes, uint32_t type = SHT_PROGBITS,
                  uint32_t link = 0) {
    file_.resize((file_.size() + 31) / 32 * 32, '\0');
    sections_.push_back({std::string(name), type, link, file_.size(), bytes.size()});
    file_ += bytes;
    return kBase + sections_.back().offset;
  }
  // A function of the first section; or a thread-local variable at a distance from their beginning.
  void AddSymbol(std::string_view name, uint64_t address, uint64_t size, uint8_t type = STT_FUNC) {
    Elf64_Sym symbol{};
    symbol.st_name = static_cast<Elf64_Word>(symbol_names_.size());
    symbol.st_info = ELF64_ST_INFO(STB_LOCAL, type);
    symbol.st_shndx = 1;
    symbol.st_value = address;
    symbol.st_size = size;
    symbols_.append(reinterpret_cast<const char*>(&symbol), sizeof(symbol));
    symbol_names_ += std::string(name) + '\0';
  }
  void SetThreadLocals(uint64_t size, uint64_t alignment) {
    thread_ = {PT_TLS, PF_R, 0, 0, 0, 0, size, alignment};
  }
  std::string Make(bool section_names = true) {
    if (symbols_.size() > sizeof(Elf64_Sym)) {
      Append(".symtab", symbols_, SHT_SYMTAB, static_cast<uint32_t>(sections_.size() + 1));
      Append(".strtab", symbol_names_, SHT_STRTAB);
    }
    Elf64_Ehdr header = Header();
    if (section_names) PutSections(header);
    const uint64_t data = sections_.at(2).offset;
    const Elf64_Phdr segments[3] = {
        {PT_LOAD, PF_R | PF_X, 0, kBase, kBase, data, data, 4096},
        {PT_LOAD, PF_R, data, kBase + data, kBase + data, file_.size() - data, file_.size() - data,
         4096},
        thread_,
    };
    std::memcpy(file_.data(), &header, sizeof(header));
    std::memcpy(file_.data() + sizeof(header), segments, sizeof(segments));
    return file_;
  }

 private:
  struct Section {
    std::string name;
    uint32_t type = SHT_NULL;
    uint32_t link = 0;
    uint64_t offset = 0;
    uint64_t size = 0;
  };

#if defined(__x86_64__)
  static constexpr Elf64_Half kMachine = EM_X86_64;
#else
  static constexpr Elf64_Half kMachine = EM_AARCH64;
#endif

  static Elf64_Ehdr Header() {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_EXEC;
    header.e_machine = kMachine;
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 3;
    return header;
  }

  void PutSections(Elf64_Ehdr& header) {
    std::string names;
    for (const Section& section : sections_) names += section.name + '\0';
    names += std::string(".shstrtab") + '\0';
    Append(".shstrtab", names, SHT_STRTAB);
    header.e_shoff = file_.size();
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = static_cast<Elf64_Half>(sections_.size());
    header.e_shstrndx = static_cast<Elf64_Half>(sections_.size() - 1);
    size_t name = 0;
    for (const Section& from : sections_) {
      Elf64_Shdr section{};
      section.sh_name = static_cast<Elf64_Word>(name);
      section.sh_type = from.type;
      section.sh_link = from.link;
      section.sh_addr = from.type == SHT_PROGBITS ? kBase + from.offset : 0;
      section.sh_offset = from.offset;
      section.sh_size = from.size;
      file_.append(reinterpret_cast<const char*>(&section), sizeof(section));
      name += from.name.size() + 1;
    }
  }

  std::string file_ = std::string(kFirst, '\0');
  std::vector<Section> sections_ = std::vector<Section>(1);
  Elf64_Phdr thread_{};  // PT_NULL
  std::string symbols_ = std::string(sizeof(Elf64_Sym), '\0');
  std::string symbol_names_ = std::string(1, '\0');
};

}  // namespace sonde::testing
