// SPDX-License-Identifier: Apache-2.0
// Which path segments are values and which are names.
#include "span/segment_shape.h"

#include <gtest/gtest.h>

#include <string>

#include "span/segment_key.h"

namespace sonde::span {
namespace {

TEST(SegmentShapeTest, NamesStay) {
  for (const char* name : {"",
                           "users",
                           "api",
                           "v1",
                           "v2",
                           "v1.2",
                           "v1alpha1",
                           "v1beta1",
                           "v1p1beta1",
                           "oauth2",
                           "oauth2callback",
                           "s3",
                           "k8s",
                           "i18n",
                           "utf8",
                           "web3",
                           "sha256",
                           "base64",
                           "http2",
                           "me",
                           "index.html",
                           "login.php",
                           ".well-known",
                           "openid-configuration",
                           "getUserAccountBalanceDetails",
                           "GetUserByIdAndOrgId",
                           "health_check",
                           "forgot-password",
                           "reset-password-confirm",
                           "facade",
                           "feedback",
                           "decade",
                           "added",
                           "cafe",
                           "dead",
                           "robots.txt",
                           "@babel",
                           "~john",
                           "swagger-ui",
                           "actuator",
                           "graphql",
                           "_search",
                           "_bulk",
                           "page-2",
                           "step1",
                           "en-US",
                           "zh-Hans-CN",
                           "caf\xC3\xA9",
                           "Users(id)",
                           "$metadata",
                           "collectionsAndItems",
                           "web_hook_v2",
                           "kube-system",
                           "apps.v1",
                           "a",
                           "z9"}) {
    EXPECT_EQ(ShapeOf(name), SegmentShape::kLiteral) << name;
  }
}

TEST(SegmentShapeTest, ValuesAreRecognised) {
  for (const char* value :
       {"0",
        "7",
        "12345",
        "-5",
        "3.14",
        "48.137154,11.576124",
        "1_000",
        "018f4e5c-7b1a-7c3e-9d2f-0a1b2c3d4e5f",
        "018F4E5C-7B1A-7C3E-9D2F-0A1B2C3D4E5F",
        "24e82e3",
        "04bbf01a",
        "d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "507f1f77bcf86cd799439011",
        "0xdeadBEEF12",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "V1StGXR8_Z5jdHi6B-myT",
        "dQw4w9WgXcQ",
        "cjld2cjxh0000qzrmn831i7rn",
        "cus_NffrFeUfNV2Hib",
        "user12345",
        "order-00123",
        "ORD-2024-000123",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
        "2NwbxKZ8yHqLm4Vt",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_EQ(ShapeOf(value), SegmentShape::kId) << value;
  }
  for (const char* date :
       {"2024-05-17", "2024-05", "1999.12.31", "2024-05-17T10:00:00Z", "2024_05_17"}) {
    EXPECT_EQ(ShapeOf(date), SegmentShape::kDate) << date;
  }
  for (const char* ip : {"10.0.0.1", "192.168.100.200", "2001:db8::1", "::1"}) {
    EXPECT_EQ(ShapeOf(ip), SegmentShape::kIp) << ip;
  }
  for (const char* mail : {"a@b.de", "john.doe+x@example.co.uk"}) {
    EXPECT_EQ(ShapeOf(mail), SegmentShape::kEmail) << mail;
  }
  for (const char* slug :
       {"how-to-cook-rice-in-ten-minutes", "the_quick_brown_fox_jumps", "hello world", "a=b",
        "<script>", "internationalization-and-localization"}) {
    EXPECT_EQ(ShapeOf(slug), SegmentShape::kSlug) << slug;
  }
}

std::string Key(const std::string& segment, bool root_file = false) {
  std::string scratch;
  return std::string(KeyOf(segment, root_file, scratch).text);
}

TEST(SegmentKeyTest, DecodesWhatIsHarmless) {
  EXPECT_EQ(Key("caf%C3%A9"), "caf\xC3\xA9");
  EXPECT_EQ(Key("a%62c"), "abc");
  EXPECT_EQ(Key("john%40example.com"), "{email}");
  EXPECT_EQ(Key("hello%20world"), "{slug}");
  EXPECT_EQ(Key("a%2Fb%00"), "{slug}");
  EXPECT_EQ(Key("%FF"), "{slug}");
  EXPECT_EQ(Key("%"), "{slug}");
  EXPECT_EQ(Key("*"), "{slug}");
  EXPECT_EQ(Key("{id}"), "{slug}");
  EXPECT_EQ(Key("login;jsessionid=0123456789ABCDEF"), "login");
  EXPECT_EQ(Key("42;v=1"), "{id}");
}

TEST(SegmentKeyTest, Files) {
  EXPECT_EQ(Key("main.3f2a9c1d.js"), "{file}.js");
  EXPECT_EQ(Key("logo.png"), "{file}.png");
  EXPECT_EQ(Key("favicon.ico", true), "favicon.ico");
  EXPECT_EQ(Key("0123456789abcdef.js", true), "{file}.js");
  EXPECT_EQ(Key("index.html"), "index.html");
  EXPECT_EQ(Key("12345.html"), "{id}.html");
  EXPECT_EQ(Key("12345.json"), "{id}.json");
  EXPECT_EQ(Key("2024-05-17.xml"), "{date}.xml");
  EXPECT_EQ(Key("a81bc81b-dead-4e5d-abff-90865d1e13b1.bin"), "{id}");
  EXPECT_EQ(Key("archive.tar.gz"), "{file}.gz");
  EXPECT_EQ(Key("users.service"), "users.service");
  EXPECT_EQ(Key("10.0.0.1"), "{ip}");
}

}  // namespace
}  // namespace sonde::span
