// SPDX-License-Identifier: Apache-2.0
// An ELF file with the tables of a Go program, and no more: for tests of what reads them.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde::testing {

struct GoImageOptions {
  uint32_t magic = 0xfffffff1;  // Go 1.20
  bool text_in_header = true;   // until Go 1.25
  bool module = false;          // section .go.module, with what Go 1.26 has there
  bool section_names = true;
  std::string table_section = ".gopclntab";
  std::string version = "go1.22.3";
};

class GoImage {
 public:
  static constexpr uint64_t kBase = 0x400000;
  static constexpr uint64_t kTextAt = 0x100;

  explicit GoImage(GoImageOptions options = {}) : options_(std::move(options)) {}

  // Returns its address. Code starts at multiples of 16.
  uint64_t Add(std::string_view name, std::string_view code) {
    functions_.emplace_back(std::string(name), text_.size());
    text_ += code;
    text_.resize((text_.size() + 15) / 16 * 16, '\xcc');
    return kBase + kTextAt + functions_.back().second;
  }
  uint64_t End() const { return kBase + kTextAt + text_.size(); }

  std::string Make() const {
    std::string file(kTextAt, '\0');
    std::vector<Section> sections(1);
    const auto append = [&](const std::string& name, const std::string& bytes) {
      file.resize((file.size() + 31) / 32 * 32, '\0');
      sections.push_back({name, file.size(), bytes.size()});
      file += bytes;
      return kBase + sections.back().offset;
    };
    append(".text", text_);
    const uint64_t table = append(options_.table_section, Table());
    append(".go.buildinfo", BuildInfo());
    if (options_.module) append(".go.module", Module(table));
    PutSections(file, sections);
    PutHeaders(file, sections);
    return file;
  }

 private:
  struct Section {
    std::string name;
    uint64_t offset = 0;
    uint64_t size = 0;
  };

#if defined(__x86_64__)
  static constexpr Elf64_Half kMachine = EM_X86_64;
  static constexpr uint32_t kQuantum = 1;  // of code addresses
#else
  static constexpr Elf64_Half kMachine = EM_AARCH64;
  static constexpr uint32_t kQuantum = 4;
#endif

  bool old() const { return options_.magic == 0xfffffffa; }
  uint64_t text() const { return kBase + kTextAt; }

  static void Put(std::string& to, uint64_t value, size_t bytes) {
    to.append(reinterpret_cast<const char*>(&value), bytes);
  }
  void PutField(std::string& to, uint64_t value) const { Put(to, value, old() ? 8 : 4); }

  std::string Table() const {
    const size_t field = old() ? 8 : 4;
    std::string names(1, '\0');
    std::string index;
    std::string details;
    const size_t index_bytes = (functions_.size() * 2 + 1) * field;
    for (const auto& [name, at] : functions_) {
      const uint64_t entry = old() ? text() + at : at;
      PutField(index, entry);
      PutField(index, index_bytes + details.size());
      PutField(details, entry);
      Put(details, names.size(), 4);
      details.append(32, '\0');  // the rest of _func
      names += name + '\0';
    }
    PutField(index, old() ? End() : text_.size());
    const uint64_t header = old() ? 64 : 72;
    std::string table;
    Put(table, options_.magic, 4);
    Put(table, 0x08000000 | kQuantum << 16, 4);
    Put(table, functions_.size(), 8);
    Put(table, 1, 8);
    if (!old()) Put(table, options_.text_in_header ? text() : 0, 8);
    Put(table, header, 8);
    for (int i = 0; i < 4; ++i) Put(table, header + names.size(), 8);
    return table + names + index + details;
  }

  std::string BuildInfo() const {
    std::string info("\xff Go buildinf:\x08\x02", 16);
    info.resize(32, '\0');
    info += static_cast<char>(options_.version.size());
    return info + options_.version;
  }

  std::string Module(uint64_t table) const {
    std::string module;
    Put(module, table, 8);
    module.append(19 * 8, '\0');
    for (const uint64_t word : {text(), End(), text(), End()}) Put(module, word, 8);
    return module + std::string(256, '\0');
  }

  void PutSections(std::string& file, std::vector<Section>& sections) const {
    std::string names(1, '\0');
    sections.push_back({".shstrtab", file.size(), 0});
    std::string table;
    for (const Section& section : sections) {
      Elf64_Shdr header{};
      header.sh_name = static_cast<Elf64_Word>(names.size());
      header.sh_type = section.name.empty() ? SHT_NULL : SHT_PROGBITS;
      header.sh_addr = section.name.empty() ? 0 : kBase + section.offset;
      header.sh_offset = section.offset;
      header.sh_size = section.size;
      table.append(reinterpret_cast<const char*>(&header), sizeof(header));
      names += section.name + '\0';
    }
    auto* last = reinterpret_cast<Elf64_Shdr*>(table.data() + table.size() - sizeof(Elf64_Shdr));
    last->sh_size = names.size();
    file += names;
    sections.front().offset = file.size();  // where the table of sections begins
    if (options_.section_names) file += table;
  }

  void PutHeaders(std::string& file, const std::vector<Section>& sections) const {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_EXEC;
    header.e_machine = kMachine;
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 2;
    if (options_.section_names) {
      header.e_shoff = sections.front().offset;
      header.e_shentsize = sizeof(Elf64_Shdr);
      header.e_shnum = static_cast<Elf64_Half>(sections.size());
      header.e_shstrndx = static_cast<Elf64_Half>(sections.size() - 1);
    }
    const uint64_t data = sections.at(2).offset;
    Elf64_Phdr segments[2] = {};
    segments[0] = {PT_LOAD, PF_R | PF_X, 0, kBase, kBase, data, data, 4096};
    segments[1] = {
        PT_LOAD, PF_R, data, kBase + data, kBase + data, file.size() - data, file.size() - data,
        4096};
    std::memcpy(file.data(), &header, sizeof(header));
    std::memcpy(file.data() + sizeof(header), segments, sizeof(segments));
  }

  GoImageOptions options_;
  std::string text_;
  std::vector<std::pair<std::string, uint64_t>> functions_;  // name, offset in the text
};

}  // namespace sonde::testing
