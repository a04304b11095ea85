// SPDX-License-Identifier: Apache-2.0
// Reads this test program itself, whose addresses are known at run time.
#include "binary/elf.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <ios>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "binary/code.h"

extern "C" {
// Volatile, so that the call and its result stay.
[[gnu::noinline]] int sonde_elf_test_marker(int value) {
  static volatile int sink = 0;
  sink = getppid() + value;
  return sink;
}
// The names are looked for in the symbol table.
// NOLINTBEGIN(readability-identifier-naming): C names, as sonde_elf_test_marker is
extern const void* const sonde_elf_test_table[2];
// Without it clang's AddressSanitizer makes the symbol as large as what it puts behind it.
[[gnu::no_sanitize_address]] const void* const sonde_elf_test_table[2] = {
    nullptr, reinterpret_cast<const void*>(&sonde_elf_test_marker)};
extern const char sonde_elf_test_text[];
const char sonde_elf_test_text[] = "/a/prefix/sonde_elf_test/unique.cc";
// NOLINTEND(readability-identifier-naming)
}

namespace sonde::binary {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

std::string OwnBytes() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ElfTest : public testing::Test {
 protected:
  void SetUp() override {
    const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    auto opened = Elf::Open(fd);
    close(fd);
    ASSERT_TRUE(opened.ok()) << opened.status();
    elf = *std::move(opened);
    const auto marker = elf->Find("sonde_elf_test_marker");
    ASSERT_TRUE(marker.has_value());
    bias = reinterpret_cast<uint64_t>(&sonde_elf_test_marker) - marker->address;
  }
  // As the file has it.
  uint64_t AddressOf(const void* at) const { return reinterpret_cast<uint64_t>(at) - bias; }

  std::unique_ptr<Elf> elf;
  uint64_t bias = 0;
};

TEST_F(ElfTest, FindsSeveralSymbolsAtOnceInTheOrderAsked) {
  const auto found = elf->FindAll({"sonde_elf_test_table", "no_such_symbol_anywhere", "main",
                                   "sonde_elf_test_marker", "x", ""});
  ASSERT_THAT(found, SizeIs(6));
  ASSERT_TRUE(found[0].has_value());
  EXPECT_EQ(found[0]->address, AddressOf(static_cast<const void*>(&sonde_elf_test_table)));
  EXPECT_EQ(found[0]->size, sizeof(sonde_elf_test_table));
  EXPECT_FALSE(found[1].has_value());
  EXPECT_TRUE(found[2].has_value());
  ASSERT_TRUE(found[3].has_value());
  EXPECT_GT(found[3]->size, 0U);
  EXPECT_FALSE(found[4].has_value());
  EXPECT_FALSE(found[5].has_value());
  EXPECT_TRUE(elf->has_symtab());
}

TEST_F(ElfTest, AnImportIsNoDefinition) { EXPECT_FALSE(elf->Find("getppid").has_value()); }

TEST_F(ElfTest, FindsFunctionsByAPartOfTheirName) {
  const auto found = elf->FindContaining("elf_test_mark", 10);
  EXPECT_THAT(found, Contains(Pair("sonde_elf_test_marker", testing::_)));
  EXPECT_THAT(elf->FindContaining("sonde", 3), SizeIs(3));
  EXPECT_THAT(elf->FindContaining("", 3), IsEmpty());
  EXPECT_THAT(elf->FindContaining("no_such_symbol_anywhere", 3), IsEmpty());
}

TEST_F(ElfTest, ReadsTheLoadedImage) {
  EXPECT_EQ(elf->Read(AddressOf(sonde_elf_test_text), 9), "/a/prefix");
  EXPECT_THAT(elf->Read(UINT64_MAX - 2, 9), IsEmpty());
  EXPECT_THAT(elf->Read(AddressOf(sonde_elf_test_text), 0), IsEmpty());
}

TEST_F(ElfTest, OnlyCodeHasACodeOffset) {
  const auto marker = elf->Find("sonde_elf_test_marker");
  const auto offset = elf->CodeOffset(marker->address);
  ASSERT_TRUE(offset.has_value());
  EXPECT_EQ(OwnBytes().substr(*offset, 16), elf->Read(marker->address, 16));
  EXPECT_FALSE(elf->CodeOffset(AddressOf(sonde_elf_test_text)).has_value());
  EXPECT_FALSE(elf->CodeOffset(0xffff'ffff'0000).has_value());
}

TEST_F(ElfTest, APointerIsRelocated) {
  const auto marker = elf->Find("sonde_elf_test_marker");
  EXPECT_EQ(elf->Pointer(AddressOf(static_cast<const void*>(&sonde_elf_test_table[1]))),
            marker->address);
}

TEST_F(ElfTest, FindsWhereAPointerIsStored) {
  const auto marker = elf->Find("sonde_elf_test_marker");
  const auto found = elf->FindPointers(marker->address, 8);
  ASSERT_FALSE(found.empty());
  for (const uint64_t place : found) EXPECT_EQ(elf->Pointer(place), marker->address);
  EXPECT_EQ(elf->FindPointers(marker->address, 1).size(), 1U);
  EXPECT_TRUE(elf->FindPointers(marker->address + 1, 8).empty());
}

TEST_F(ElfTest, FunctionsHaveBoundsFromTheUnwindTable) {
  const auto marker = elf->Find("sonde_elf_test_marker");
  for (const uint64_t inside : {marker->address, marker->address + 5}) {
    const auto function = elf->FunctionAt(inside);
    ASSERT_TRUE(function.has_value());
    EXPECT_EQ(function->start, marker->address);
    EXPECT_EQ(function->end, marker->address + marker->size);
  }
  const auto& starts = elf->FunctionStarts();
  EXPECT_TRUE(std::ranges::is_sorted(starts));
  EXPECT_TRUE(std::ranges::binary_search(starts, marker->address));
  EXPECT_FALSE(elf->FunctionAt(1).has_value());
}

TEST_F(ElfTest, FindsTextsWholeAndByTheirEnd) {
  const uint64_t text = AddressOf(sonde_elf_test_text);
  const std::string whole = sonde_elf_test_text;  // as literals here they would be found themselves
  EXPECT_EQ(elf->FindString(whole, false), text);
  EXPECT_EQ(elf->FindString(whole.substr(20), true), text);
  EXPECT_EQ(elf->FindString(whole.substr(20), false), text + 20);
  EXPECT_FALSE(elf->FindString(whole.substr(0, whole.size() - 1), true).has_value());
}

TEST_F(ElfTest, TellsTheImportBehindACall) {
  const auto marker = elf->Find("sonde_elf_test_marker");
  std::vector<std::string> imports;
  for (const Instruction& each : DisassembleFunction(*elf, marker->address)) {
    if (each.operation != Operation::kCall) continue;
    imports.push_back(each.target()
                          ? elf->ImportAt(*each.target())
                          : elf->ImportOfSlot(static_cast<uint64_t>(each.destination.value)));
  }
  EXPECT_THAT(imports, Contains("getppid"));
  EXPECT_THAT(elf->ImportAt(marker->address), IsEmpty());
}

TEST_F(ElfTest, SectionsByName) {
  EXPECT_TRUE(elf->SectionAddress(".text").has_value());
  EXPECT_FALSE(elf->SectionAddress(".nothing").has_value());
  EXPECT_THAT(elf->Section(".nothing"), IsEmpty());
  EXPECT_EQ(elf->Section(".interp").substr(0, 4), "/lib");
}

TEST(ElfOpen, RefusesWhatIsNoElfFileOfThisMachine) {
  EXPECT_FALSE(Elf::FromBytes("").ok());
  EXPECT_FALSE(Elf::FromBytes("#!/bin/sh\n").ok());
  EXPECT_EQ(Elf::FromBytes(std::string(4096, '\x7f')).status().code(),
            absl::StatusCode::kInvalidArgument);
  std::string other = OwnBytes().substr(0, 4096);
  other[18] = 2;  // e_machine: SPARC
  EXPECT_FALSE(Elf::FromBytes(other).ok());
  EXPECT_FALSE(Elf::Open(-1).ok());
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  EXPECT_FALSE(Elf::Open(pipe_ends[0]).ok());
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

// Asks everything there is to ask.
void AskAll(const Elf& elf) {
  const auto found = elf.FindAll({"sonde_elf_test_marker", "main"});
  elf.FindContaining("elf_test", 4);
  elf.FindString("unique.cc", true);
  elf.Section(".rodata");
  elf.FunctionStarts();
  for (const auto& symbol : found) {
    if (!symbol) continue;
    elf.Pointer(symbol->address);
    elf.FindPointers(symbol->address, 8);
    elf.CodeOffset(symbol->address);
    elf.ImportAt(symbol->address);
    DisassembleFunction(elf, symbol->address);
  }
}

TEST(ElfHostile, AFileCutShortAnywhereIsReadAsFarAsItGoes) {
  const std::string bytes = OwnBytes();
  for (size_t part = 0; part < 16; ++part) {
    auto elf = Elf::FromBytes(bytes.substr(0, bytes.size() * part / 16 + 64));
    if (elf.ok()) AskAll(**elf);
  }
}

TEST(ElfHostile, HugeOffsetsAndSizesLeadNowhere) {
  const std::string bytes = OwnBytes();
  for (size_t at = 32; at < 1024; at += 4) {  // the header and the segments
    std::string changed = bytes.substr(0, 1U << 16);
    std::memset(changed.data() + at, 0xff, 4);
    auto elf = Elf::FromBytes(std::move(changed));
    if (elf.ok()) AskAll(**elf);
  }
}

TEST(ElfHostile, AFileCutShortWhileOpenIsNoCrash) {
  std::string path = testing::TempDir() + "sonde_elf_XXXXXX";
  const int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  unlink(path.c_str());
  const std::string bytes = OwnBytes();
  ASSERT_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  auto elf = Elf::Open(fd);
  ASSERT_TRUE(elf.ok());
  ASSERT_EQ(ftruncate(fd, 4096), 0);
  close(fd);
  AskAll(**elf);
  EXPECT_FALSE((*elf)->Find("main").has_value());
}

}  // namespace
}  // namespace sonde::binary
