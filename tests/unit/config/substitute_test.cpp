// SPDX-License-Identifier: Apache-2.0
// The examples of OpenTelemetry's "Environment variable substitution".
#include "config/substitute.h"

#include <gtest/gtest.h>

#include <string>

#include "config/environment.h"

namespace sonde::config {
namespace {

const Environment& Example() {
  static const Environment environment{{"STRING_VALUE", "value"},
                                       {"BOOL_VALUE", "true"},
                                       {"EMPTY", ""},
                                       {"REPLACE_ME", "${DO_NOT_REPLACE_ME}"},
                                       {"DO_NOT_REPLACE_ME", "Never use this value"},
                                       {"VALUE_WITH_ESCAPE", "value$$"}};
  return environment;
}

std::string Of(const std::string& text) {
  const auto result = Substitute(text, Example());
  return result.ok() ? *result : "error: " + std::string(result.status().message());
}

TEST(Substitute, References) {
  EXPECT_EQ(Of("${STRING_VALUE}"), "value");
  EXPECT_EQ(Of("${env:STRING_VALUE}"), "value");
  EXPECT_EQ(Of("foo ${STRING_VALUE} ${BOOL_VALUE}"), "foo value true");
  EXPECT_EQ(Of("${UNDEFINED}"), "");
  EXPECT_EQ(Of("${UNDEFINED:-fallback}"), "fallback");
  EXPECT_EQ(Of("${EMPTY:-fallback}"), "fallback");
  EXPECT_EQ(Of("${UNDEFINED:-}"), "");
  EXPECT_EQ(Of("${UNDEFINED:-a:-b}"), "a:-b");
}

TEST(Substitute, IsNotRecursive) {
  EXPECT_EQ(Of("${REPLACE_ME}"), "${DO_NOT_REPLACE_ME}");
  EXPECT_EQ(Of("${UNDEFINED:-${STRING_VALUE}}"), "${STRING_VALUE}");
  EXPECT_EQ(Of("${VALUE_WITH_ESCAPE}"), "value$$");
}

TEST(Substitute, DollarsAreEscapedByDollars) {
  EXPECT_EQ(Of("$${STRING_VALUE}"), "${STRING_VALUE}");
  EXPECT_EQ(Of("$$${STRING_VALUE}"), "$value");
  EXPECT_EQ(Of("$$$$"), "$$");
  EXPECT_EQ(Of("a $ b$"), "a $ b$");
  EXPECT_EQ(Of("$STRING_VALUE"), "$STRING_VALUE");
}

TEST(Substitute, MalformedReferencesAreErrors) {
  for (const char* text : {"${}", "${1A}", "${STRING_VALUE:?error}", "${A B}", "${A-b}", "${",
                           "${STRING_VALUE", "${env:}"}) {
    EXPECT_TRUE(Of(text).starts_with("error: malformed reference")) << text << " " << Of(text);
  }
}

TEST(Substitute, ResultIsBounded) {
  const Environment environment{{"BIG", std::string(40'000, 'x')}};
  EXPECT_TRUE(Substitute("${BIG}", environment).ok());
  EXPECT_FALSE(Substitute("${BIG}${BIG}", environment).ok());
}

}  // namespace
}  // namespace sonde::config
