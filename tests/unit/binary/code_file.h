// SPDX-License-Identifier: Apache-2.0
// An ELF file that is nothing but code. Null if it is none after all.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "binary/elf.h"

namespace sonde::binary {

inline constexpr uint64_t kCodeBase = 0x1000;

// A file that is one executable segment with `code` at kCodeBase.
inline std::unique_ptr<Elf> WithCode(std::string_view code) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_phoff = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_X;
  segment.p_offset = sizeof(header) + sizeof(segment);
  segment.p_vaddr = kCodeBase;
  segment.p_filesz = segment.p_memsz = code.size();
  std::string bytes(sizeof(header) + sizeof(segment), '\0');
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), &segment, sizeof(segment));
  bytes += code;
  auto elf = Elf::FromBytes(std::move(bytes));
  return elf.ok() ? *std::move(elf) : nullptr;
}

}  // namespace sonde::binary
