// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "config/environment.h"
#include "config/yaml_node.h"
#include "config/yaml_reader.h"
#include "config/yaml_writer.h"

namespace sonde::config {
namespace {

std::string RefusalOf(const std::string& text) {
  const auto result = ReadYaml(text, "F", {});
  return result.ok() ? "" : std::string(result.status().message());
}

std::string Repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Yaml, KeepsOrderLinesAndQuotes) {
  const auto root = ReadYaml("b: 1\na:\n  - x\n  - \"2\"\nc:\n", "F", {});
  ASSERT_TRUE(root.ok());
  ASSERT_EQ(root->entries.size(), 3U);
  EXPECT_EQ(root->entries[0].key, "b");
  EXPECT_EQ(root->entries[1].line, 2);
  EXPECT_FALSE(root->entries[0].value.quoted);
  EXPECT_TRUE(root->entries[1].value.items[1].quoted);
  EXPECT_EQ(root->entries[1].value.items[1].line, 4);
  EXPECT_TRUE(root->entries[2].value.is_null());
}

TEST(Yaml, SubstitutesValuesNotKeysAndNeverStructure) {
  const Environment env{{"K", "key"}, {"V", "x: [1, 2]\ny: 3"}, {"E", ""}};
  const auto root = ReadYaml("${K}: ${V}\nempty: ${E}\nstring: \"${E}\"\n", "F", env);
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->entries[0].key, "${K}");
  EXPECT_TRUE(root->entries[0].value.is_scalar());
  EXPECT_EQ(root->entries[0].value.text, "x: [1, 2]\ny: 3");
  EXPECT_TRUE(root->Find("empty")->is_null());
  EXPECT_TRUE(root->Find("string")->is_scalar());
}

TEST(Yaml, ErrorsNameTheLine) {
  EXPECT_EQ(RefusalOf("a: 1\nb: ${X:?}\n").substr(0, 27), "F:2: malformed reference \"X");
  EXPECT_EQ(RefusalOf("a: 1\nb: 2\na: 3\n"), "F:3: key \"a\" is given twice");
  EXPECT_EQ(RefusalOf("a: 1\n\n[x]: 3\n"), "F:3: a key must be a plain name");
  EXPECT_TRUE(RefusalOf("a: 1\nb: [1\n").starts_with("F:3: not valid YAML: "));
  EXPECT_EQ(RefusalOf("a: 1\n---\nb: 2\n"), "F: holds more than one document");
}

TEST(Yaml, AliasesAreCopies) {
  const auto root = ReadYaml("a: &x {k: 1}\nb: *x\n", "F", {});
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->Find("b")->Find("k")->text, "1");
  EXPECT_EQ(RefusalOf("a: &x [1, *x]\n"), "F:1: alias to a node that contains it");
}

TEST(Yaml, HostileInputIsBounded) {
  EXPECT_EQ(RefusalOf("a: " + std::string(2U << 20, 'x')), "F: larger than 1 MiB");
  EXPECT_EQ(RefusalOf(Repeat("[", 100) + Repeat("]", 100)), "F:1: deeper than 64 levels");
  EXPECT_NE(RefusalOf(Repeat("[", 100'000)), "");
  EXPECT_NE(RefusalOf(Repeat("{a: ", 100'000)), "");
  EXPECT_EQ(RefusalOf(Repeat("- 1\n", 10'001)), "F:10000: more than 10000 values");
  std::string laughs = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 9; ++k) laughs += ", " + before;
    laughs += "]\n";
  }
  EXPECT_EQ(RefusalOf(laughs), "F:4: more than 10000 values");
  std::string deep = "a0: &a0 [1]\n";
  for (int i = 1; i < 80; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) +
            "]\n";
  }
  EXPECT_EQ(RefusalOf(deep), "F:64: deeper than 64 levels");
}

TEST(Yaml, WriterIsReadBackWhateverTheText) {
  YamlNode map = YamlNode::Map();
  const std::string text =
      std::string("${X} \"quote\" back\\slash # no comment: - [a]\n\t\x01") + "\x7f";
  map.Add("key", YamlNode::Scalar(text, true)).comment = "origin";
  YamlNode list = YamlNode::Sequence();
  YamlNode item = YamlNode::Map();
  item.Add("a", YamlNode::Scalar("1"));
  item.Add("b", YamlNode::Sequence());
  list.items.push_back(item);
  list.items.push_back(YamlNode::Scalar("true", true));
  map.Add("list", list);
  const auto back = ReadYaml(WriteYaml(map), "F", {{"X", "replaced"}});
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->Find("key")->text, text);
  EXPECT_EQ(back->Find("list")->items[0].Find("a")->text, "1");
  EXPECT_TRUE(back->Find("list")->items[0].Find("b")->is_sequence());
  EXPECT_TRUE(back->Find("list")->items[1].quoted);
}

TEST(Yaml, UnreadableFilesAreErrors) {
  EXPECT_EQ(ReadYamlFile("/nonexistent.yaml", {}).status().message(),
            "/nonexistent.yaml: cannot be read: No such file or directory");
  EXPECT_FALSE(ReadYamlFile("/", {}).ok());
  EXPECT_EQ(ReadYamlFile("/dev/zero", {}).status().message(), "/dev/zero: larger than 1 MiB");
}

}  // namespace
}  // namespace sonde::config
