// SPDX-License-Identifier: Apache-2.0
#include "span/baggage.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/attribute_writer.h"

namespace sonde::span {
namespace {

std::string Text(const Attributes& attributes, std::string_view key) {
  const AttributeValue* value = FindAttribute(attributes, key);
  return value == nullptr ? "absent" : std::get<std::string>(*value);
}

Attributes Read(const std::vector<std::string>& keys, const std::vector<HttpHeader>& headers,
                const AttributeLimits& limits = {}) {
  Attributes attributes;
  AttributeWriter writer(attributes, limits);
  Baggage(keys).Describe(headers, writer);
  return attributes;
}

TEST(BaggageTest, NothingIsKeptUnlessAllowed) {
  EXPECT_TRUE(Read({}, {{"baggage", "user=alice"}, {"uberctx-user", "alice"}}).empty());
  EXPECT_TRUE(Read({"tenant"}, {{"baggage", "user=alice"}, {"uberctx-user", "alice"}}).empty());
}

TEST(BaggageTest, ListsAndProperties) {
  const std::vector<HttpHeader> headers = {
      {"baggage", "user=alice , tenant\t=\tblue%20sky;ttl=5;secret"}, {"baggage", "empty=,x"}};
  const auto attributes = Read({"user", "tenant", "empty", "x", "ttl"}, headers);
  EXPECT_EQ(Text(attributes, "baggage.user"), "alice");
  EXPECT_EQ(Text(attributes, "baggage.tenant"), "blue sky");
  EXPECT_EQ(Text(attributes, "baggage.empty"), "");
  EXPECT_EQ(attributes.size(), 3U);
}

TEST(BaggageTest, KeysAreCaseSensitiveAndTheLastCounts) {
  const auto attributes = Read({"User"}, {{"baggage", "user=a,User=b"}, {"baggage", "User=c"}});
  EXPECT_EQ(Text(attributes, "baggage.User"), "c");
}

TEST(BaggageTest, OtherFormats) {
  const std::vector<HttpHeader> headers = {{"uberctx-user", "al%20ice"},
                                           {"ot-baggage-tenant", "b"}};
  const auto attributes = Read({"User", "tenant"}, headers);
  EXPECT_EQ(Text(attributes, "baggage.User"), "al ice");
  EXPECT_EQ(Text(attributes, "baggage.tenant"), "b");
}

TEST(BaggageTest, HostileValuesAreMadeTextAndCut) {
  const auto attributes =
      Read({"a"}, {{"baggage", "a=%ff%00" + std::string(100, 'x')}}, {.value_length = 4});
  EXPECT_EQ(Text(attributes, "baggage.a"), std::string("\xEF\xBF\xBD\0xx", 6));
  EXPECT_TRUE(Read({"a"}, {{"baggage", ",,=,==a,;a=%"}}).empty());
}

}  // namespace
}  // namespace sonde::span
