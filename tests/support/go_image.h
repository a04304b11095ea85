// SPDX-License-Identifier: Apache-2.0
// An ELF file with the tables of a Go program, and no more: for tests of what reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/elf_image.h"

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
  static constexpr uint64_t kBase = ElfImage::kBase;
  static constexpr uint64_t kTextAt = ElfImage::kFirst;

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
    ElfImage elf;
    elf.Append(".text", text_);
    const uint64_t table = elf.Append(options_.table_section, Table());
    elf.Append(".go.buildinfo", BuildInfo());
    if (options_.module) elf.Append(".go.module", Module(table));
    return elf.Make(options_.section_names);
  }

 private:
#if defined(__x86_64__)
  static constexpr uint32_t kQuantum = 1;  // of code addresses
#else
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

  GoImageOptions options_;
  std::string text_;
  std::vector<std::pair<std::string, uint64_t>> functions_;  // name, offset in the text
};

}  // namespace sonde::testing
