// SPDX-License-Identifier: Apache-2.0
// Bytes of Debian's libssl 3.0.19 for arm64, and of x86-64.
#include "binary/references.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <string_view>

namespace sonde::binary {
namespace {

template <size_t N>
std::string_view Code(const char (&code)[N]) {
  return {code, N - 1};
}

TEST(References, CallsOfArm64) {
  EXPECT_EQ(arm64::CallTarget(Code("\xc1\xfe\xff\x97"), 0x3602c), 0x35b30U);      // bl
  EXPECT_EQ(arm64::CallTarget(Code("\xe3\xff\xff\x17"), 0x360b0), 0x3603cU);      // b
  EXPECT_EQ(arm64::CallTarget(Code("\x20\x00\x3f\xd6"), 0x36000), std::nullopt);  // blr x1
  EXPECT_EQ(arm64::CallTarget(Code("\x01\x03\x00\x54"), 0x36054), std::nullopt);  // b.ne
  EXPECT_EQ(arm64::CallTarget(Code("\xc1\xfe\xff"), 0x3602c), std::nullopt);
}

TEST(References, AddressesOfArm64) {
  // adrp x0, ac000; add x0, x0, #0x3e8
  constexpr std::string_view kPair("\x20\x04\x00\xf0\x00\xa0\x0f\x91", 8);
  EXPECT_EQ(arm64::NamedAddress(kPair, 0x25490), 0xac3e8U);
  // With one between them.
  EXPECT_EQ(arm64::NamedAddress(Code("\x20\x04\x00\xf0\x1f\x20\x03\xd5\x00\xa0\x0f\x91"), 0x25490),
            0xac3e8U);
  // add x1, x1, #0x3e8: of another register.
  EXPECT_EQ(arm64::NamedAddress(Code("\x20\x04\x00\xf0\x21\xa0\x0f\x91"), 0x25490), std::nullopt);
  EXPECT_EQ(arm64::NamedAddress(kPair.substr(0, 4), 0x25490), std::nullopt);
  // adrp backwards: 0x1000 pages less one.
  EXPECT_EQ(arm64::NamedAddress(Code("\xe0\xff\xff\xf0\x00\x00\x00\x91"), 0x25490), 0x24000U);
}

TEST(References, StubsOfArm64) {
  // adrp x16, ae000; ldr x17, [x16, #0xa20]; add x16, x16, #0xa20; br x17
  constexpr std::string_view kStub(
      "\x70\x04\x00\xf0\x11\x12\x45\xf9\x10\x82\x28\x91\x20\x02\x1f\xd6", 16);
  EXPECT_EQ(arm64::SlotOfStub(kStub, 0x1f130), 0xaea20U);
  EXPECT_EQ(arm64::SlotOfStub(kStub.substr(4), 0x1f134), std::nullopt);
  EXPECT_EQ(arm64::SlotOfStub(kStub.substr(0, 7), 0x1f130), std::nullopt);
}

TEST(References, OfX86) {
  EXPECT_EQ(x86::CallTarget(Code("\xe8\x10\x00\x00\x00"), 0x1000), 0x1015U);
  EXPECT_EQ(x86::CallTarget(Code("\xe9\xfb\xff\xff\xff"), 0x1000), 0x1000U);
  EXPECT_EQ(x86::CallTarget(Code("\xe8\x10\x00\x00"), 0x1000), std::nullopt);
  EXPECT_EQ(x86::NamedAddress(Code("\x48\x8d\x05\x10\x00\x00\x00"), 0x1000), 0x1017U);  // lea rax
  EXPECT_EQ(x86::NamedAddress(Code("\x48\x8b\x05\x10\x00\x00\x00"), 0x1000), std::nullopt);  // mov
  EXPECT_EQ(x86::SlotOfStub(Code("\xff\x25\x10\x00\x00\x00"), 0x1000), 0x1016U);
}

}  // namespace
}  // namespace sonde::binary
