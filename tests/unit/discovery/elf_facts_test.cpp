// SPDX-License-Identifier: Apache-2.0
#include "discovery/elf_facts.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unit/discovery/fake_proc.h"

namespace sonde::discovery {
namespace {

template <typename T>
std::string Bytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// An ELF file of sections alone.
std::string MakeElf(const std::vector<std::pair<std::string, std::string>>& contents) {
  std::string names(1, '\0');
  std::string data;
  std::vector<Elf64_Shdr> sections;
  const auto add = [&](const std::string& name, const std::string& content) {
    Elf64_Shdr section{};
    section.sh_name = static_cast<uint32_t>(names.size());
    section.sh_type = SHT_PROGBITS;
    section.sh_offset = sizeof(Elf64_Ehdr) + data.size();
    section.sh_size = content.size();
    names += name + '\0';
    data += content;
    sections.push_back(section);
  };
  for (const auto& [name, content] : contents) add(name, content);
  const std::string with_own_name = names + ".shstrtab" + '\0';
  add(".shstrtab", with_own_name);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = static_cast<uint16_t>(sections.size());
  header.e_shstrndx = static_cast<uint16_t>(sections.size() - 1);
  header.e_shoff = sizeof(header) + data.size();
  std::string file = Bytes(header) + data;
  for (const Elf64_Shdr& section : sections) file += Bytes(section);
  return file;
}

std::string BuildInfo(const std::string& version) {
  std::string section("\xff Go buildinf:\x08\x02", 16);
  section.resize(32);
  return section + static_cast<char>(version.size()) + version + "\x05path\tx";
}

ElfFacts Facts(const std::string& content) {
  const FakeProc files;
  files.Write("program", content);
  return ReadElfFacts(files.root() + "/program");
}

TEST(ElfFactsTest, GoWithItsVersion) {
  const ElfFacts facts = Facts(MakeElf({{".text", "x"}, {".go.buildinfo", BuildInfo("go1.22.3")}}));
  EXPECT_TRUE(facts.elf);
  EXPECT_TRUE(facts.go);
  EXPECT_EQ(facts.go_version, "go1.22.3");
}

TEST(ElfFactsTest, GoWithoutAnInlineVersion) {
  for (const std::string& section :
       {std::string("short"), std::string(200, 'x'), BuildInfo("not a version"),
        BuildInfo("go1.22.3").substr(0, 36)}) {
    const ElfFacts facts = Facts(MakeElf({{".go.buildinfo", section}}));
    EXPECT_TRUE(facts.go);
    EXPECT_EQ(facts.go_version, "");
  }
}

TEST(ElfFactsTest, RustCppAndEmbeddedPython) {
  EXPECT_TRUE(Facts(MakeElf({{".comment", std::string("GCC\0rustc version 1.70", 22)}})).rust);
  EXPECT_TRUE(Facts(MakeElf({{".dynstr", std::string("\0libstdc++.so.6\0", 16)}})).cpp);
  EXPECT_TRUE(Facts(MakeElf({{".dynstr", std::string("\0libpython3.11.so\0", 18)}})).python);
  const ElfFacts plain = Facts(MakeElf({{".comment", "GCC: (Debian)"}, {".dynstr", "libc.so.6"}}));
  EXPECT_TRUE(plain.elf);
  EXPECT_FALSE(plain.rust || plain.cpp || plain.python || plain.go);
}

TEST(ElfFactsTest, EveryTruncationAndWrongNumberIsHarmless) {
  const std::string file = MakeElf({{".go.buildinfo", BuildInfo("go1.22.3")}});
  for (size_t size = 0; size < file.size(); size += 7) Facts(file.substr(0, size));
  for (size_t at = 16; at < file.size(); at += 3) {
    std::string broken = file;
    broken[at] = '\xff';
    Facts(broken);
  }
  EXPECT_FALSE(ReadElfFacts("/nonexistent").elf);
  EXPECT_FALSE(ReadElfFacts("/").elf);
  EXPECT_FALSE(Facts("#!/bin/sh\n").elf);
}

}  // namespace
}  // namespace sonde::discovery
