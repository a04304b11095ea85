// SPDX-License-Identifier: Apache-2.0
#include "resource/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sonde::resource {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(ResourceAttributesTest, Pairs) {
  EXPECT_THAT(*ParseResourceAttributes(" a=1, b = x%20y%2C%3D ,service.name=shop,empty=,"),
              ElementsAre(Pair("a", "1"), Pair("b", "x y,="), Pair("service.name", "shop"),
                          Pair("empty", "")));
  EXPECT_THAT(*ParseResourceAttributes("a=b=c"), ElementsAre(Pair("a", "b=c")));
  EXPECT_THAT(*ParseResourceAttributes(""), testing::IsEmpty());
  EXPECT_THAT(*ParseResourceAttributes("k=%FF"), ElementsAre(Pair("k", "\xEF\xBF\xBD")));
}

TEST(ResourceAttributesTest, OfAMalformedTextNothingIsUsed) {
  for (const char* text : {"a", "a=1,b", "=1", "a=%", "a=%4", "a=%zz", "a=1,=2"}) {
    EXPECT_FALSE(ParseResourceAttributes(text).has_value()) << text;
  }
  EXPECT_FALSE(ParseResourceAttributes(std::string(300, 'k') + "=1").has_value());
  EXPECT_FALSE(ParseResourceAttributes("k=" + std::string(5000, 'v')).has_value());
  std::string many;
  for (int i = 0; i < 129; ++i) many += "k" + std::to_string(i) + "=1,";
  EXPECT_FALSE(ParseResourceAttributes(many).has_value());
}

}  // namespace
}  // namespace sonde::resource
