// SPDX-License-Identifier: Apache-2.0
// Bytes of a program that Go 1.26.8 made for arm64, and of Debian's libssl 3.0.19 for arm64.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "binary/code.h"
#include "binary/decode.h"

namespace sonde::binary {
namespace {

constexpr uint64_t kBase = 0x36000;
constexpr uint8_t kSp = 31;
constexpr uint8_t kWord = 8;
using Kind = Operand::Kind;

template <size_t N>
std::vector<Instruction> Decode(const std::array<uint32_t, N>& words) {
  std::string code(sizeof(words), '\0');
  std::memcpy(code.data(), words.data(), code.size());
  return DecodeArm64(code, kBase, 100);
}

std::vector<Operation> Operations(const std::vector<Instruction>& code) {
  std::vector<Operation> operations;
  operations.reserve(code.size());
  for (const Instruction& each : code) operations.push_back(each.operation);
  return operations;
}

Instruction One(uint32_t word) {
  const auto code = Decode(std::array{word});
  EXPECT_EQ(code.size(), 1U);
  return code.empty() ? Instruction{} : code.front();
}

void ExpectMemory(const Operand& operand, uint8_t base, int64_t offset, uint8_t bytes) {
  EXPECT_EQ(operand.kind, Kind::kMemory);
  EXPECT_EQ(operand.base, base);
  EXPECT_EQ(operand.value, offset);
  EXPECT_EQ(operand.bytes, bytes);
}

// runtime.ready of Go: the check of the stack, then the frame.
TEST(DecodeArm64, PrologueOfGo) {
  const auto code = Decode(std::array{
      0xf9400b90U,  // ldr x16, [x28, #16]
      0xeb3063ffU,  // cmp sp, x16
      0x54001269U,  // b.ls +0x24c
      0xf81a0ffeU,  // str x30, [sp, #-96]!
      0xf81f83fdU,  // stur x29, [sp, #-8]
      0xd10023fdU,  // sub x29, sp, #8
      0xf90037e0U,  // str x0, [sp, #104]
  });
  using enum Operation;
  EXPECT_THAT(Operations(code), testing::ElementsAre(kMove, kCompare, kBranch, kLoadAddress, kMove,
                                                     kMove, kLoadAddress, kMove));
  ExpectMemory(code[0].source, 28, 16, kWord);
  EXPECT_EQ(code[1].destination.base, kSp);
  EXPECT_EQ(code[1].writes, 0U);
  EXPECT_FALSE(code[1].keeps_flags);
  EXPECT_EQ(code[2].condition, 6);  // below or equal
  EXPECT_EQ(code[2].target(), kBase + 8 + 0x24c);
  // One instruction, two effects: the stack pointer moves, then what it points to is written.
  EXPECT_EQ(code[3].address, kBase + 12);
  EXPECT_EQ(code[3].next(), code[4].address);
  EXPECT_EQ(code[4].next(), kBase + 16);
  ExpectMemory(code[3].source, kSp, -96, kWord);
  ExpectMemory(code[4].destination, kSp, 0, kWord);
  EXPECT_EQ(code[4].source.base, 30);
  ExpectMemory(code[6].source, kSp, -8, kWord);
  EXPECT_EQ(code[6].writes, 1U << 29);
}

TEST(DecodeArm64, ReturnsAreFoundWhereTheyAre) {
  const auto code = Decode(std::array{
      0xf84707feU,  // ldr x30, [sp], #112
      0xd65f03c0U,  // ret
      0xd65f03c0U,  // ret
      0xd63f0080U,  // blr x4
      0x14000dc7U,  // b
  });
  std::vector<uint64_t> returns;
  for (const Instruction& each : code) {
    if (each.operation == Operation::kReturn) returns.push_back(each.address);
  }
  EXPECT_THAT(returns, testing::ElementsAre(kBase + 4, kBase + 8));
  EXPECT_EQ(code.back().target(), kBase + 16 + uint64_t{0xdc7} * 4);
}

TEST(DecodeArm64, PairsAndTheirBase) {
  const auto stored = Decode(std::array{0xa9be7bfdU});  // stp x29, x30, [sp, #-0x20]!
  ASSERT_EQ(stored.size(), 3U);
  ExpectMemory(stored[0].source, kSp, -0x20, kWord);
  ExpectMemory(stored[1].destination, kSp, 0, kWord);
  ExpectMemory(stored[2].destination, kSp, 8, kWord);
  EXPECT_EQ(stored[2].next(), kBase + 4);

  const auto loaded = Decode(std::array{0xa8c27bfdU});  // ldp x29, x30, [sp], #0x20
  ASSERT_EQ(loaded.size(), 3U);
  ExpectMemory(loaded[0].source, kSp, 0, kWord);
  ExpectMemory(loaded[2].source, kSp, 0x20, kWord);
  EXPECT_EQ(loaded[0].writes | loaded[1].writes | loaded[2].writes,
            1U << 29 | 1U << 30 | 1U << kSp);

  // The base is loaded last, or the other would come from elsewhere.
  const auto over = Decode(std::array{0xa9400400U});  // ldp x0, x1, [x0]
  ASSERT_EQ(over.size(), 2U);
  EXPECT_EQ(over[0].destination.base, 1);
  ExpectMemory(over[0].source, 0, 8, kWord);
  EXPECT_EQ(over[1].destination.base, 0);

  const auto zeros = Decode(std::array{0xa9047fffU});  // stp xzr, xzr, [sp, #64]
  ASSERT_EQ(zeros.size(), 2U);
  EXPECT_EQ(zeros[0].source.kind, Kind::kNumber);
  EXPECT_EQ(zeros[0].source.value, 0);

  const auto vectors = Decode(std::array{0xad000260U});  // stp q0, q0, [x19]
  ASSERT_EQ(vectors.size(), 2U);
  ExpectMemory(vectors[1].destination, 19, 16, 16);
  EXPECT_EQ(vectors[1].source.kind, Kind::kNone);
}

TEST(DecodeArm64, WhatComparesWithoutFlagsLeavesNone) {
  const auto zero = Decode(std::array{0xb4000122U});  // cbz x2, +0x24
  ASSERT_EQ(zero.size(), 2U);
  EXPECT_EQ(zero[0].operation, Operation::kTest);
  EXPECT_EQ(zero[1].condition, 4);
  EXPECT_FALSE(zero[1].keeps_flags);
  EXPECT_EQ(zero[1].target(), kBase + 0x24);

  const auto bit = Decode(std::array{0x37f802e2U});  // tbnz w2, #31, +0x5c
  ASSERT_EQ(bit.size(), 2U);
  EXPECT_EQ(bit[0].source.value, int64_t{1} << 31);
  EXPECT_EQ(bit[0].destination.bytes, 4);
  EXPECT_EQ(bit[1].condition, 5);
  EXPECT_EQ(bit[1].target(), kBase + 0x5c);
  EXPECT_TRUE(One(0x54000301).keeps_flags);  // b.ne
}

TEST(DecodeArm64, AddressesAndNumbers) {
  const auto page = One(0xf0000420);  // adrp x0
  EXPECT_EQ(page.operation, Operation::kMove);
  EXPECT_EQ(page.source.value, static_cast<int64_t>((kBase & ~0xfffU) + 0x87000));
  ExpectMemory(One(0x910fa000).source, 0, 0x3e8, kWord);    // add x0, x0, #0x3e8
  ExpectMemory(One(0xd10083ff).source, kSp, -32, kWord);    // sub sp, sp, #0x20
  ExpectMemory(One(0x9143d021).source, 1, 0xf4000, kWord);  // add x1, x1, #0xf4, lsl #12
  EXPECT_EQ(One(0x12800000).source.value, -1);              // mov w0, #-1
  EXPECT_EQ(One(0x52a06002).source.value, 0x3000000);       // mov w2, #0x3000000
  EXPECT_EQ(One(0x72a00181).operation, Operation::kOther);  // movk w1, #0xc, lsl #16
  EXPECT_EQ(One(0x72a00181).writes, 1U << 1);
  EXPECT_TRUE(One(0x8b001020).source.indexed);  // add x0, x1, x0, lsl #4
  EXPECT_TRUE(One(0xf8767b9a).source.indexed);  // ldr x26, [x28, x22, lsl #3]
}

TEST(DecodeArm64, Widths) {
  const auto extended = One(0x93407c42);  // sxtw x2, w2
  EXPECT_EQ(extended.operation, Operation::kMove);
  EXPECT_EQ(extended.destination.bytes, kWord);
  EXPECT_EQ(extended.source.bytes, 4);
  EXPECT_EQ(One(0x395fe260).source.bytes, 1);  // ldrb w0, [x19, #0x7f8]
  EXPECT_EQ(One(0xb9800ab3).source.bytes, 4);  // ldrsw x19, [x21, #8]
  EXPECT_EQ(One(0xb9800ab3).destination.bytes, 8);
  EXPECT_EQ(One(0x3dc00660).source.bytes, 16);  // ldr q0, [x19, #0x10]
  EXPECT_EQ(One(0x3dc00660).writes, 0U);
}

TEST(DecodeArm64, WhatTheKernelEmulates) {
  EXPECT_TRUE(One(0x97fffec1).emulated);   // bl
  EXPECT_TRUE(One(0xd63f0020).emulated);   // blr x1
  EXPECT_TRUE(One(0xd65f03c0).emulated);   // ret
  EXPECT_TRUE(One(0xf0000420).emulated);   // adrp
  EXPECT_FALSE(One(0xd503201f).emulated);  // nop: newer kernels only
  EXPECT_FALSE(One(0xaa0103e0).emulated);  // mov x0, x1
  EXPECT_EQ(One(0x97fffec1).writes, 1U << 30);
}

TEST(DecodeArm64, OneOfTwo) {
  using enum Operation;
  EXPECT_THAT(Operations(Decode(std::array{0x9a819053U})),  // csel x19, x2, x1, ls
              testing::ElementsAre(kMove, kConditionalMove));
  const auto same = One(0x1a80c020);  // csel w0, w1, w0, gt
  EXPECT_EQ(same.operation, kConditionalMove);
  EXPECT_EQ(same.source.base, 1);
}

// Data, or a younger instruction: whatever it is, it may have written any register.
TEST(DecodeArm64, WhatIsNoInstructionIsPassed) {
  const auto code = Decode(std::array{0x00000000U, 0xd65f03c0U});
  ASSERT_EQ(code.size(), 2U);
  EXPECT_EQ(code[0].operation, Operation::kOther);
  EXPECT_EQ(code[0].writes, 0x7fffffffU);
  EXPECT_EQ(code[1].operation, Operation::kReturn);
  EXPECT_TRUE(DecodeArm64({"\xc0\x03\x5f", 3}, kBase, 10).empty());
}

}  // namespace
}  // namespace sonde::binary
