// SPDX-License-Identifier: Apache-2.0
#include "binary/flow.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>

#include "binary/code.h"
#include "sonde/abi/tls.h"
#include "unit/binary/code_file.h"

namespace sonde::binary {
namespace {

// What is known before each instruction, by distance from the entry.
std::map<uint64_t, Machine> Known(std::string_view code, const Assumptions& assumptions = {}) {
  std::map<uint64_t, Machine> known;
  const auto elf = WithCode(code);
  Follow(*elf, kCodeBase, assumptions, [&](const Instruction& instruction, const Machine& machine) {
    known.emplace(instruction.address - kCodeBase, machine);
  });
  return known;
}

const Value kObject = Value::Input(SONDE_REGISTER_DI);

TEST(Flow, AnArgumentIsFollowedIntoRegistersAndSlots) {
  // push rbx; sub rsp, 0x20; mov rbx, rdi; mov [rsp+8], rdi; xor edi, edi; ret
  const auto known = Known("\x53\x48\x83\xec\x20\x48\x89\xfb\x48\x89\x7c\x24\x08\x31\xff\xc3");
  const Machine& last = known.at(0x0f);
  EXPECT_EQ(last.registers[SONDE_REGISTER_DI], Value::Number(0));
  EXPECT_EQ(last.registers[SONDE_REGISTER_BX], kObject);
  const auto place = last.Find(kObject);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->from, SONDE_REGISTER_BX);  // rather than the slot
  EXPECT_EQ(last.registers[SONDE_REGISTER_SP], Value::Input(SONDE_REGISTER_SP, -0x28));
}

TEST(Flow, ASlotIsFoundFromTheStackPointerAsItIsThere) {
  // push rdi; sub rsp, 0x10; xor edi, edi; ret
  const auto known = Known(std::string_view("\x57\x48\x83\xec\x10\x31\xff\xc3"));
  const auto place = known.at(7).Find(kObject);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->from, SONDE_REGISTER_SP);
  EXPECT_EQ(place->memory, 1);
  EXPECT_EQ(place->offset, 0x10);
}

TEST(Flow, ACallLosesWhatItNeedNotKeep) {
  // mov rbx, rdi; call +0; ret
  const auto known = Known(std::string_view("\x48\x89\xfb\xe8\x00\x00\x00\x00\xc3", 9));
  EXPECT_EQ(known.at(8).registers[SONDE_REGISTER_DI].kind, Value::Kind::kUnknown);
  EXPECT_EQ(known.at(8).registers[SONDE_REGISTER_BX], kObject);
}

TEST(Flow, PathsThatDisagreeAreNotBelieved) {
  // mov rax, rdi; test esi, esi; je +3; mov rax, rdx; ret
  const auto known = Known("\x48\x89\xf8\x85\xf6\x74\x03\x48\x89\xd0\xc3");
  EXPECT_EQ(known.at(10).registers[SONDE_REGISTER_AX].kind, Value::Kind::kUnknown);
  EXPECT_EQ(known.at(7).registers[SONDE_REGISTER_AX], kObject);
}

TEST(Flow, ALoopThatMovesAPointerKeepsWhereItIsFrom) {
  // mov rax, rdi; add rax, rsi; dec edx; jne -7; ret
  const auto known = Known("\x48\x89\xf8\x48\x01\xd8\xff\xca\x75\xf9\xc3");
  const Value& pointer = known.at(10).registers[SONDE_REGISTER_AX];
  EXPECT_FALSE(pointer == kObject);
}

TEST(Flow, AssumptionsLeaveOutPathsThatCannotBe) {
  // test esi, esi; jne +1; ret; push rbp; ret
  constexpr std::string_view kCode("\x85\xf6\x75\x01\xc3\x55\xc3");
  EXPECT_TRUE(Known(kCode).contains(5));
  EXPECT_FALSE(Known(kCode, {{{SONDE_REGISTER_SI, 0}}, {}}).contains(5));
  EXPECT_TRUE(Known(kCode, {{{SONDE_REGISTER_SI, 23}}, {}}).contains(5));
  EXPECT_FALSE(Known(kCode, {{{SONDE_REGISTER_SI, 23}}, {}}).contains(4));
}

TEST(Flow, AnAssumedNumberIsKnownThroughItsSlot) {
  // mov [rsp-12], esi; movd [rsp-8], 0; cmp [rsp-12], 23; je +1; ret; push rbp; ret
  constexpr std::string_view kCode(
      "\x89\x74\x24\xf4\xc7\x44\x24\xf8\x00\x00\x00\x00\x83\x7c\x24\xf4\x17\x74\x01\xc3\x55\xc3",
      22);
  EXPECT_FALSE(Known(kCode, {{{SONDE_REGISTER_SI, 23}}, {}}).contains(19));
  EXPECT_FALSE(Known(kCode, {{{SONDE_REGISTER_SI, 22}}, {}}).contains(20));
}

TEST(Flow, FieldsAreLoaded) {
  // mov rax, [rdi+0xa8]; add rax, 0xb8; ret
  const auto known =
      Known(std::string_view("\x48\x8b\x87\xa8\x00\x00\x00\x48\x05\xb8\x00\x00\x00\xc3", 14));
  const Value expected{Value::Kind::kLoaded, SONDE_REGISTER_DI, 0xa8, 0xb8};
  EXPECT_EQ(known.at(13).registers[SONDE_REGISTER_AX], expected);
}

TEST(Flow, AnEndlessLoopEnds) { EXPECT_EQ(Known("\xeb\xfe").size(), 1U); }

}  // namespace
}  // namespace sonde::binary
