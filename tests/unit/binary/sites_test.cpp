// SPDX-License-Identifier: Apache-2.0
// What of sites.h needs no library: the manifests' tests try the rest on real ones.
#include "binary/sites.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "sonde/abi/tls.h"
#include "unit/binary/code_file.h"

namespace sonde::binary {
namespace {

using namespace std::string_view_literals;

constexpr uint8_t kSixth = 9;  // r9

std::optional<sonde_place> PlaceAt(std::string_view code, uint64_t site) {
  const auto elf = WithCode(code);
  return PlaceOfInt(*elf, {kCodeBase, SONDE_REGISTER_DI, SONDE_REGISTER_CX, {}}, kSixth,
                    kCodeBase + site);
}

TEST(PlaceOfInt, InTheSlotItWasSpilledTo) {
  // sub rsp, 0x18; mov [rsp+0xc], r9d; xor r9d, r9d; nop; ret
  const auto place = PlaceAt("\x48\x83\xec\x18\x44\x89\x4c\x24\x0c\x45\x31\xc9\x90\xc3", 12);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->from, SONDE_REGISTER_SP);
  EXPECT_EQ(place->memory, 1);
  EXPECT_EQ(place->offset, 0xc);
  EXPECT_EQ(place->narrow, 1);  // the 8 bytes there are not all its own
}

TEST(PlaceOfInt, InARegister) {
  // mov ebx, r9d; xor r9d, r9d; nop; ret
  const auto place = PlaceAt("\x44\x89\xcb\x45\x31\xc9\x90\xc3", 6);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->from, SONDE_REGISTER_BX);
  EXPECT_EQ(place->memory, 0);
  EXPECT_EQ(place->narrow, 1);
}

TEST(PlaceOfInt, NowhereAnyMore) {
  // xor r9d, r9d; nop; ret
  EXPECT_FALSE(PlaceAt("\x45\x31\xc9\x90\xc3", 3).has_value());
  // never reached: ret; nop; ret
  EXPECT_FALSE(PlaceAt("\xc3\x90\xc3", 1).has_value());
}

TEST(PlaceOfInt, NotWhereItIsSomethingElseIfItIsZero) {
  // mov ebx, r9d; test r9d, r9d; mov r9d, 1; jne +5; mov ebx, 5; nop; ret
  EXPECT_FALSE(PlaceAt("\x44\x89\xcb\x45\x85\xc9\x41\xb9\x01\x00\x00\x00\x75\x05"
                       "\xbb\x05\x00\x00\x00\x90\xc3"sv,
                       19)
                   .has_value());
}

}  // namespace
}  // namespace sonde::binary
