// SPDX-License-Identifier: Apache-2.0
// The header table: against the examples of RFC 7541 and nghttp2's encoder, with an unknown tail,
// and with hostile blocks.
#include "protocol/http2/hpack.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "sonde/pipeline/exchange.h"
#include "support/http2_frames.h"

namespace sonde::protocol::http2 {
namespace {

using testing::Fields;
using testing::Http2Writer;

constexpr size_t kMax = 65536;

std::string Text(const FieldList& list) {
  std::string text;
  for (const HttpHeader& field : list.fields) text += field.name + "=" + field.value + ";";
  if (list.unknown) text += "unknown;";
  if (list.cut) text += "cut;";
  if (list.broken) text += "broken;";
  return text;
}

TEST(Hpack, ExamplesOfTheSpecification) {
  HpackDecoder decoder;  // RFC 7541 C.4: Huffman coded requests on one connection
  EXPECT_EQ(Text(decoder.Decode("\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4"
                                "\xff",
                                kMax)),
            ":method=GET;:scheme=http;:path=/;:authority=www.example.com;");
  EXPECT_EQ(Text(decoder.Decode("\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf", kMax)),
            ":method=GET;:scheme=http;:path=/;:authority=www.example.com;cache-control=no-cache;");
  EXPECT_EQ(Text(decoder.Decode("\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25"
                                "\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf",
                                kMax)),
            ":method=GET;:scheme=https;:path=/index.html;:authority=www.example.com;"
            "custom-key=custom-value;");
}

TEST(Hpack, AgreesWithAnEncoderOverManyBlocks) {
  HpackDecoder decoder;
  Http2Writer writer;
  for (int i = 0; i < 500; ++i) {
    if (i % 97 == 5) writer.ChangeTableSize(static_cast<size_t>(i % 7) * 300);
    Fields fields = {{":status", "200"}, {"x", std::string(static_cast<size_t>(i % 40), 'v')}};
    for (int k = 0; k < 5; ++k) {
      fields.emplace_back("name-" + std::to_string((i * 7 + k * k) % 60),
                          std::to_string(i % 9) + std::string(static_cast<size_t>(k) * 50, '~'));
    }
    std::string want;
    for (const auto& [name, value] : fields) want += name + "=" + value + ";";
    ASSERT_EQ(Text(decoder.Decode(writer.Block(fields), kMax)), want) << i;
  }
}

TEST(Hpack, LateDecoderNamesOnlyWhatItSaw) {
  Http2Writer writer;
  const Fields known = {{"a", "early"}, {"b", "early"}};
  writer.Block(known);
  HpackDecoder decoder;
  EXPECT_EQ(Text(decoder.Decode(writer.Block(known), kMax)), "unknown;");
  EXPECT_EQ(Text(decoder.Decode(writer.Block({{"a", "early"}, {"c", "late"}}), kMax)),
            "c=late;unknown;");
  // A new value under a name that is not known.
  EXPECT_EQ(Text(decoder.Decode(writer.Block({{"b", "other"}, {"c", "late"}}), kMax)),
            "c=late;unknown;");
  EXPECT_EQ(Text(decoder.Decode(writer.Block({{"b", "other"}}), kMax)), "unknown;");
  EXPECT_EQ(Text(decoder.Decode(writer.Block({{"c", "late"}, {"c", "x"}}), kMax)), "c=late;c=x;");
}

TEST(Hpack, LossForgetsTheTable) {
  Http2Writer writer;
  HpackDecoder decoder;
  decoder.Decode(writer.Block({{"a", "1"}}), kMax);
  writer.Block({{"b", "2"}});  // lost
  decoder.Forget();
  EXPECT_EQ(Text(decoder.Decode(writer.Block({{"a", "1"}, {"b", "2"}}), kMax)), "unknown;");
}

TEST(Hpack, Hostile) {
  HpackDecoder decoder;
  EXPECT_EQ(Text(decoder.Decode("\x80", kMax)), "broken;");  // index 0
  EXPECT_EQ(Text(decoder.Decode("\xff\xff\xff\xff\xff\xff", kMax)), "broken;");
  EXPECT_EQ(Text(decoder.Decode("\x40", kMax)), "broken;");
  EXPECT_EQ(Text(decoder.Decode("\x40\x05"
                                "ab",
                                kMax)),
            "broken;");
  EXPECT_EQ(Text(decoder.Decode("\x3f\xe1\xff\xff\xff\x0f", kMax)), "");  // table of 4 GiB
  // Bad Huffman code: the value is unknown, what follows is not.
  EXPECT_EQ(Text(decoder.Decode(std::string("\x00\x01n\x84\xff\xff\xff\xff\x82", 9), kMax)),
            ":method=GET;unknown;");
  EXPECT_EQ(Text(decoder.Decode("\x84", kMax)), ":path=/;");
}

TEST(Hpack, BombIsCut) {
  Http2Writer writer;
  HpackDecoder decoder;
  decoder.Decode(writer.Block({{"bomb", std::string(2000, 'b')}}), kMax);
  const FieldList list = decoder.Decode(std::string(60'000, '\xbe'), kMax);
  EXPECT_TRUE(list.cut);
  EXPECT_LE(list.bytes, kMax);
  EXPECT_LE(list.fields.size(), 33U);
}

TEST(Hpack, EntryLargerThanWhatIsKeptHasANumber) {
  HpackDecoder decoder;
  decoder.Decode("\x3f\xe1\xff\xff\xff\x0f", kMax);
  std::string block(
      "\x40\x01"
      "a",
      3);
  const size_t size = 70'000;
  block += "\x7f";
  size_t rest = size - 127;
  for (; rest >= 128; rest >>= 7U) block.push_back(static_cast<char>(0x80U | (rest & 0x7fU)));
  block.push_back(static_cast<char>(rest));
  block += std::string(size, 'v') + std::string(
                                        "\x40\x01"
                                        "b\x01w",
                                        5);
  EXPECT_EQ(Text(decoder.Decode(block, kMax)), "b=w;cut;");
  EXPECT_EQ(Text(decoder.Decode("\xbe\xbf", kMax)), "b=w;unknown;");
}

}  // namespace
}  // namespace sonde::protocol::http2
