// SPDX-License-Identifier: Apache-2.0
#include "container/docker_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <utility>

#include "container/text.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(DockerJsonTest, Container) {
  const auto facts = ParseDockerContainer(R"({"Id":"abc","Name":"/web","Image":"sha256:12",
      "Config":{"Image":"registry:5000/shop/web:1.2","Labels":{"team":"shop","a":""},
                "Env":["A=1","SHOP=x=y","A=2","none",7]}})");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->id, "abc");
  EXPECT_EQ(facts->name, "web");
  EXPECT_EQ(facts->image_id, "sha256:12");
  EXPECT_EQ(facts->image_name, "registry:5000/shop/web");
  EXPECT_THAT(facts->image_tags, ElementsAre("1.2"));
  EXPECT_THAT(facts->labels, ElementsAre(Pair("a", ""), Pair("team", "shop")));
  EXPECT_THAT(facts->env, ElementsAre(Pair("A", "1"), Pair("SHOP", "x=y")));
}

TEST(DockerJsonTest, OwnFileOfDocker) {
  const auto facts = ParseDockerContainer(R"({"ID":"abc","Name":"/web","Config":{"Labels":null}})");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->id, "abc");
  EXPECT_THAT(facts->labels, IsEmpty());
}

// Started by the image's id: the name comes from the image.
TEST(DockerJsonTest, ImageAddsNames) {
  const std::string id = "sha256:" + std::string(64, 'a');
  auto facts = ParseDockerContainer(R"({"Id":"abc","Image":")" + id + R"(","Config":{"Image":")" +
                                    id + R"("}})");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->image_name, "");
  AddDockerImage(R"({"RepoTags":["shop:1","shop:2","mirror/shop:1","<none>:<none>"],
                     "RepoDigests":["shop@sha256:5","<none>@<none>"]})",
                 *facts);
  EXPECT_EQ(facts->image_name, "shop");
  EXPECT_THAT(facts->image_tags, ElementsAre("1", "2"));
  EXPECT_THAT(facts->image_digests, ElementsAre("shop@sha256:5"));
}

TEST(DockerJsonTest, ForeignShapesAreRefused) {
  for (const char* text : {"", "null", "[]", "7", "{", R"({"Id":7})", R"({"Id":""})", "\xff\xfe"}) {
    EXPECT_FALSE(ParseDockerContainer(text)) << text;
    EXPECT_FALSE(ParseDockerEvent(text)) << text;
    EXPECT_THAT(ParseDockerList(text), IsEmpty()) << text;
  }
  const auto facts =
      ParseDockerContainer(R"({"Id":"a","Name":[],"Image":{},"Config":{"Image":1,"Labels":[1]}})");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->name, "");
  ContainerFacts none;
  AddDockerImage(R"({"RepoTags":{"a":1},"RepoDigests":[1,null]})", none);
  EXPECT_EQ(none, ContainerFacts());
}

TEST(DockerJsonTest, HostileLabelsAreCut) {
  std::string labels;
  for (int i = 0; i < 1000; ++i) labels += "\"k" + std::to_string(i) + "\":\"v\",";
  size_t cut = 0;
  const auto facts =
      ParseDockerContainer(R"({"Id":"a","Name":"/w\ne\u001b[31mb","Config":{"Labels":{)" + labels +
                               "\"" + std::string(300, 'k') + R"(":"x","":"no key","a":")" +
                               std::string(1U << 20, 'x') + R"("}}})",
                           &cut);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->name, "w e [31mb");
  EXPECT_EQ(facts->labels.size(), 256U);
  EXPECT_EQ(facts->labels[0].second.size(), kMaxLabelBytes);
  EXPECT_EQ(cut, 1000U - 255U + 1 + 1);
}

TEST(DockerJsonTest, Events) {
  const auto event = ParseDockerEvent(
      R"({"Type":"container","Action":"exec_start: sh -c x","Actor":{"ID":"abc"}})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->id, "abc");
  EXPECT_EQ(event->action, "exec_start");
  EXPECT_FALSE(ParseDockerEvent(R"({"Type":"image","Action":"pull","Actor":{"ID":"abc"}})"));
}

TEST(DockerJsonTest, List) {
  EXPECT_THAT(ParseDockerList(R"([{"Id":"a"},{"Id":"b"},{"no":"id"},3])"), ElementsAre("a", "b"));
}

TEST(TextTest, Clean) {
  EXPECT_EQ(CleanText("a\nb\x7f\xc2\x85", 100), "a b  ");
  EXPECT_EQ(CleanText("\xff\xc3", 100), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(CleanText("\xc3\xa4\xe2\x82\xac", 4), "\xc3\xa4");  // not within a character
  size_t cut = 0;
  EXPECT_EQ(CleanText("abc", 2, &cut), "ab");
  EXPECT_EQ(cut, 1U);
}

TEST(TextTest, ImageNames) {
  EXPECT_EQ(SplitImageName("nginx").name, "nginx");
  EXPECT_EQ(SplitImageName("nginx:1").tag, "1");
  const ImageName whole = SplitImageName("h:5000/a/b:1@sha256:ff");
  EXPECT_EQ(whole.name, "h:5000/a/b");
  EXPECT_EQ(whole.tag, "1");
  EXPECT_EQ(whole.digest, "sha256:ff");
  EXPECT_EQ(SplitImageName("h:5000/a").name, "h:5000/a");
  EXPECT_EQ(SplitImageName("h:5000/a").tag, "");
}

}  // namespace
}  // namespace sonde::container
