// SPDX-License-Identifier: Apache-2.0
#include "binary/code.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "sonde/abi/tls.h"
#include "unit/binary/code_file.h"

namespace sonde::binary {
namespace {

template <size_t N>
Instruction One(const char (&code)[N]) {
  const auto elf = WithCode(std::string_view(code, N - 1));
  const auto all = Disassemble(*elf, kCodeBase, kCodeBase + N - 1, 10);
  EXPECT_EQ(all.size(), 1U);
  return all.empty() ? Instruction{} : all.front();
}

TEST(Code, WhatTheKernelEmulates) {
  EXPECT_TRUE(One("\x55").emulated);                       // push rbp
  EXPECT_TRUE(One("\x41\x57").emulated);                   // push r15
  EXPECT_TRUE(One("\xe8\x00\x00\x00\x00").emulated);       // call
  EXPECT_TRUE(One("\xe9\x00\x00\x00\x00").emulated);       // jmp
  EXPECT_TRUE(One("\xeb\x00").emulated);                   // jmp, short
  EXPECT_TRUE(One("\x74\x00").emulated);                   // je
  EXPECT_TRUE(One("\x0f\x86\x00\x00\x00\x00").emulated);   // jbe
  EXPECT_TRUE(One("\x90").emulated);                       // nop
  EXPECT_FALSE(One("\xf3\x0f\x1e\xfa").emulated);          // endbr64
  EXPECT_FALSE(One("\xff\x15\x00\x00\x00\x00").emulated);  // call [rip]
  EXPECT_FALSE(One("\xff\xe0").emulated);                  // jmp rax
  EXPECT_FALSE(One("\xc3").emulated);                      // ret
  EXPECT_FALSE(One("\x48\x89\xfb").emulated);              // mov rbx, rdi
  EXPECT_FALSE(One("\x6a\x01").emulated);                  // push 1
  EXPECT_FALSE(One("\xff\x37").emulated);                  // push [rdi]
  EXPECT_FALSE(One("\x5d").emulated);                      // pop rbp
  EXPECT_FALSE(One("\x0f\x1f\x00").emulated);              // nop [rax]: newer kernels only
}

TEST(Code, OperandsOfMoves) {
  const Instruction spill = One("\x48\x89\x7c\x24\x28");  // mov [rsp+0x28], rdi
  EXPECT_EQ(spill.operation, Operation::kMove);
  EXPECT_EQ(spill.destination.kind, Operand::Kind::kMemory);
  EXPECT_EQ(spill.destination.base, SONDE_REGISTER_SP);
  EXPECT_EQ(spill.destination.value, 0x28);
  EXPECT_EQ(spill.destination.bytes, 8);
  EXPECT_FALSE(spill.destination.indexed);
  EXPECT_EQ(spill.source.kind, Operand::Kind::kRegister);
  EXPECT_EQ(spill.source.base, SONDE_REGISTER_DI);

  const Instruction guard = One("\x64\x48\x8b\x04\x25\x28\x00\x00\x00");  // mov rax, fs:[0x28]
  EXPECT_TRUE(guard.source.indexed);
  EXPECT_TRUE(guard.source.thread);

  const Instruction load = One("\x41\x8b\x44\x8d\xfc");  // mov eax, [r13+rcx*4-4]
  EXPECT_EQ(load.source.base, 13);
  EXPECT_TRUE(load.source.indexed);
  EXPECT_FALSE(load.source.thread);
  EXPECT_EQ(load.source.value, -4);
  EXPECT_EQ(load.destination.bytes, 4);
}

TEST(Code, AddressesRelativeToTheInstructionPointerAreAbsolute) {
  const Instruction lea = One("\x48\x8d\x05\x10\x00\x00\x00");  // lea rax, [rip+0x10]
  EXPECT_EQ(lea.operation, Operation::kLoadAddress);
  EXPECT_EQ(lea.source.base, Operand::kNoRegister);
  EXPECT_EQ(lea.source.value, static_cast<int64_t>(kCodeBase + 7 + 0x10));
}

TEST(Code, TargetsOfCallsAndBranches) {
  EXPECT_EQ(One("\xe8\x10\x00\x00\x00").target(), kCodeBase + 0x15);
  const Instruction branch = One("\x74\xfe");
  EXPECT_EQ(branch.operation, Operation::kBranch);
  EXPECT_EQ(branch.target(), kCodeBase);
  EXPECT_FALSE(One("\xff\xe0").target().has_value());
  EXPECT_FALSE(One("\x55").target().has_value());
}

TEST(Code, StopsAtTheEndTheLimitAndWhatIsNoInstruction) {
  const auto elf = WithCode("\x55\x90\x90\x06\x90");
  EXPECT_EQ(Disassemble(*elf, kCodeBase, kCodeBase + 100, 10).size(), 3U);
  EXPECT_EQ(Disassemble(*elf, kCodeBase, kCodeBase + 2, 10).size(), 2U);
  EXPECT_EQ(Disassemble(*elf, kCodeBase, kCodeBase + 100, 1).size(), 1U);
  EXPECT_TRUE(Disassemble(*elf, kCodeBase + 1, kCodeBase, 10).empty());
  EXPECT_TRUE(Disassemble(*elf, kCodeBase + 100, kCodeBase + 200, 10).empty());
  EXPECT_TRUE(DisassembleFunction(*elf, kCodeBase).empty());  // no bounds
}

}  // namespace
}  // namespace sonde::binary
