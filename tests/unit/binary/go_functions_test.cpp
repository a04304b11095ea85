// SPDX-License-Identifier: Apache-2.0
#include "binary/go_functions.h"

#include <absl/status/status.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/elf.h"
#include "sonde/base/result.h"
#include "support/go_image.h"

namespace sonde::binary {
namespace {

using sonde::testing::GoImage;
using sonde::testing::GoImageOptions;

const std::string kCode(20, '\x90');

// main.first, main.second, main.third.
std::string ThreeFunctions(const GoImageOptions& options) {
  GoImage image(options);
  for (const char* name : {"main.first", "main.second", "main.third"}) image.Add(name, kCode);
  return image.Make();
}

Result<std::vector<std::optional<Function>>> Find(std::string bytes,
                                                  const std::vector<std::string_view>& names) {
  auto elf = Elf::FromBytes(std::move(bytes));
  if (!elf.ok()) return elf.status();
  return FindGoFunctions(**elf, names);
}

void ExpectFound(const GoImageOptions& options) {
  constexpr uint64_t kFirst = GoImage::kBase + GoImage::kTextAt;
  const auto found = Find(ThreeFunctions(options), {"main.third", "main.fourth", "main.first"});
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 3);
  const Function third = (*found)[0].value_or(Function{});
  EXPECT_EQ(third.start, kFirst + 64);
  EXPECT_EQ(third.end, kFirst + 96);
  EXPECT_FALSE((*found)[1].has_value());
  const Function first = (*found)[2].value_or(Function{});
  EXPECT_EQ(first.start, kFirst);
  EXPECT_EQ(first.end, kFirst + 32);
}

TEST(GoFunctions, AreFoundInEveryFormOfTheTable) {
  for (const uint32_t magic : {0xfffffffaU, 0xfffffff0U, 0xfffffff1U}) {
    SCOPED_TRACE(magic);
    ExpectFound({.magic = magic});
  }
}

TEST(GoFunctions, OfGo126StandRelativeToTheTextInItsModule) {
  ExpectFound({.text_in_header = false, .module = true});
}

TEST(GoFunctions, AreFoundWithoutNamesOfSections) {
  ExpectFound({.section_names = false});
  ExpectFound({.text_in_header = false, .module = true, .section_names = false});
}

TEST(GoFunctions, AreFoundInATableAmongOtherData) {
  ExpectFound({.table_section = ".data.rel.ro"});
}

TEST(GoFunctions, AreUnknownWhereTheTextIs) {
  EXPECT_TRUE(
      absl::IsNotFound(Find(ThreeFunctions({.text_in_header = false}), {"main.first"}).status()));
}

TEST(GoFunctions, AreNotTakenForOnesThatEndAlike) {
  GoImage image;
  image.Add("vendor/crypto/tls.(*Conn).Read", kCode);
  image.Add("crypto/tls.(*Conn).ReadFrom", kCode);
  const auto found = Find(image.Make(), {"crypto/tls.(*Conn).Read"});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(found->front().has_value());
}

TEST(GoFunctions, OfNamesAcrossTheBordersOfWhatIsReadAtOnce) {
  GoImage image;
  const std::string filler(1000, 'f');
  std::vector<std::string> names;
  for (int i = 0; i < 600; ++i) {
    names.push_back("main." + filler + std::to_string(i));
    image.Add(names.back(), kCode);
  }
  const std::string bytes = image.Make();
  for (size_t i = 240; i < 280; ++i) {  // 256 KiB are between
    const auto found = Find(bytes, {names[i], names[599]});
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->front().value_or(Function{}).start,
              GoImage::kBase + GoImage::kTextAt + uint64_t{32} * i);
    EXPECT_TRUE(found->back().has_value());
  }
}

TEST(GoFunctions, AreNoneInATableOfAnotherForm) {
  std::string bytes = ThreeFunctions({});
  bytes[bytes.find("\xf1\xff\xff\xff")] = '\xfb';  // Go 1.2 to 1.15
  EXPECT_TRUE(absl::IsNotFound(Find(bytes, {"main.first"}).status()));
}

TEST(GoFunctions, OfATruncatedFileAreThoseThatItHas) {
  const std::string bytes = ThreeFunctions({.section_names = false});
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto found = Find(bytes.substr(0, size), {"main.first", "main.third"});
    if (!found.ok()) continue;
    for (const auto& function : *found) {
      EXPECT_TRUE(!function || function->start - GoImage::kBase < size);
    }
  }
}

TEST(GoVersionOf, AProgram) {
  const auto elf = Elf::FromBytes(ThreeFunctions({.version = "go1.26.8"}));
  ASSERT_TRUE(elf.ok()) << elf.status();
  EXPECT_EQ(GoVersion(**elf), "go1.26.8");
}

TEST(GoVersionOf, ForeignTextIsNone) {
  for (const char* version : {"", "1.26", "devel +1234"}) {
    const auto elf = Elf::FromBytes(ThreeFunctions({.version = version}));
    ASSERT_TRUE(elf.ok()) << elf.status();
    EXPECT_EQ(GoVersion(**elf), "");
  }
}

}  // namespace
}  // namespace sonde::binary
