// SPDX-License-Identifier: Apache-2.0
#include "resource/resource_json.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "resource/owned_resource.h"
#include "sonde/pipeline/span.h"

namespace sonde::resource {
namespace {

TEST(ResourceJsonTest, RoundTrip) {
  ResourceBuilder builder;
  builder.AddText("service.name", "shöp");
  builder.Add("process.pid", int64_t{42});
  builder.AddOwned("my.ratio", 0.5);
  builder.AddOwned("my.flag", true);
  builder.AddOwned("my.list", std::vector<std::string>{"a", "b"});
  const auto resource = builder.Build();
  const std::string text = ToJson(*resource);
  const auto back = FromJson(text);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ((*back)->service_name, "shöp");
  ASSERT_EQ((*back)->attributes.size(), resource->attributes.size());
  for (const Attribute& attribute : resource->attributes) {
    const AttributeValue* value = FindAttribute((*back)->attributes, attribute.key);
    ASSERT_NE(value, nullptr) << attribute.key;
    EXPECT_EQ(*value, attribute.value) << attribute.key;
  }
  EXPECT_EQ(ToJson(**back), text);
}

TEST(ResourceJsonTest, IsTheResourceOfOtlpJson) {
  ResourceBuilder builder;
  builder.AddText("service.name", "a");
  builder.Add("process.pid", int64_t{42});
  EXPECT_EQ(ToJson(*builder.Build()),
            R"({"attributes":[{"key":"service.name","value":{"stringValue":"a"}},)"
            R"({"key":"process.pid","value":{"intValue":"42"}}]})");
}

TEST(ResourceJsonTest, InvalidUtf8StillGivesJson) {
  ResourceBuilder builder;
  builder.AddText("service.name", "a\xff");
  EXPECT_TRUE(FromJson(ToJson(*builder.Build())).ok());
}

TEST(ResourceJsonTest, WrongDocumentsAreRefused) {
  for (const char* text : {"", "[", "1", "[]", "{}", R"({"attributes":1})", "\xff", "{\"a\":"}) {
    EXPECT_FALSE(FromJson(text).ok()) << text;
  }
  EXPECT_FALSE(FromJson(std::string((1U << 20) + 1, ' ')).ok());
  EXPECT_FALSE(FromJson(std::string(1'000'000, '[')).ok());
  std::string many = R"({"attributes":[)";
  for (int i = 0; i < 1025; ++i) many += i == 0 ? "1" : ",1";
  EXPECT_FALSE(FromJson(many + "]}").ok());
}

TEST(ResourceJsonTest, WrongAttributesAreLeftOut) {
  const auto resource = FromJson(
      R"({"attributes":[1,{"key":2},{"key":"a"},{"key":"b","value":{"kvlistValue":{}}},)"
      R"({"key":"c","value":{"intValue":"9x"}},{"key":"d","value":{"stringValue":1}},)"
      R"({"key":"e","value":{"arrayValue":{"values":[{"intValue":1}]}}},{"key":"f","value":null},)"
      R"({"key":"g","value":{"intValue":7}},{"key":"g","value":{"intValue":8}}]})");
  ASSERT_TRUE(resource.ok());
  ASSERT_EQ((*resource)->attributes.size(), 1U);
  EXPECT_EQ((*resource)->attributes[0].value, AttributeValue(int64_t{7}));
  EXPECT_EQ((*resource)->service_name, "");
}

}  // namespace
}  // namespace sonde::resource
