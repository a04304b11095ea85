// SPDX-License-Identifier: Apache-2.0
// containerd's answers; with a real containerd: tests/e2e/test_containerd.py.
#include "container/containerd.h"

#include <containerd.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

std::string Answer(const std::string& id, const std::string& image, const Labels& labels = {}) {
  wire::OneContainer one;
  one.mutable_container()->set_id(id);
  one.mutable_container()->set_image(image);
  for (const auto& [key, value] : labels) (*one.mutable_container()->mutable_labels())[key] = value;
  return one.SerializeAsString();
}

struct Parsed {
  ContainerFacts facts;
  std::string image;
  size_t cut = 0;
};

Parsed Parse(const std::string& answer, const std::string& name_space = "default") {
  Parsed parsed;
  const auto facts = ParseContainerdContainer(answer, name_space, &parsed.image, &parsed.cut);
  EXPECT_TRUE(facts.ok()) << facts.status();
  if (facts.ok()) parsed.facts = *facts;
  return parsed;
}

TEST(ContainerdTest, NameImageAndLabels) {
  const std::string id(64, 'a');
  const Parsed of = Parse(
      Answer(id, "registry:5000/shop/web:1.2", {{"team", "shop"}, {"nerdctl/name", "web-1"}}));
  EXPECT_EQ(of.facts.id, id);
  EXPECT_EQ(of.facts.runtime, "containerd");
  EXPECT_EQ(of.facts.name, "web-1");
  EXPECT_EQ(of.facts.image_name, "registry:5000/shop/web");
  EXPECT_THAT(of.facts.image_tags, ElementsAre("1.2"));
  EXPECT_THAT(of.facts.labels, ElementsAre(Pair("nerdctl/name", "web-1"), Pair("team", "shop")));
  EXPECT_EQ(of.image, "registry:5000/shop/web:1.2");
  EXPECT_EQ(of.cut, 0U);
}

TEST(ContainerdTest, WhoRunsItSaysTheName) {
  const std::string id(64, 'a');
  EXPECT_EQ(Parse(Answer(id, "")).facts.name, "");
  EXPECT_EQ(Parse(Answer("web", "")).facts.name, "web") << "ctr's ids are names";
  EXPECT_EQ(Parse(Answer(id, "", {{"io.kubernetes.container.name", "c"}})).facts.name, "c");
  EXPECT_EQ(Parse(Answer(id, ""), "moby").facts.runtime, "docker");
}

TEST(ContainerdTest, HostileAnswers) {
  std::string image;
  size_t cut = 0;
  EXPECT_FALSE(ParseContainerdContainer("no protobuf", "default", &image, &cut).ok());
  EXPECT_FALSE(ParseContainerdContainer("", "default", &image, &cut).ok());
  Labels many = {{"long", std::string(1U << 20U, 'x')},
                 {std::string(300, 'k'), "v"},
                 {"control", "a\nb\x1b[0m"}};
  for (int i = 0; i < 400; ++i) many.emplace_back("label" + std::to_string(i), "v");
  const Parsed of = Parse(Answer(std::string(64, 'a'), "", many));
  EXPECT_THAT(of.facts.labels, SizeIs(256));
  EXPECT_GE(of.cut, 400U + 3U - 256U);
  for (const auto& [key, value] : of.facts.labels) {
    EXPECT_LE(value.size(), kMaxLabelBytes);
    EXPECT_EQ(value.find_first_of("\n\x1b"), std::string::npos);
  }
}

TEST(ContainerdTest, Events) {
  wire::ContainerEvent about;
  about.set_id("web");
  wire::Envelope envelope;
  envelope.set_topic("/containers/create");
  envelope.mutable_event()->set_value(about.SerializeAsString());
  EXPECT_EQ(ParseContainerdEvent(envelope.SerializeAsString()), "web");
  EXPECT_EQ(ParseContainerdEvent(""), "");
  EXPECT_EQ(ParseContainerdEvent("no protobuf"), "");
}

TEST(ContainerdTest, NobodyThere) {
  using std::chrono::milliseconds;
  Containerd containerd("/nowhere/containerd.sock",
                        {.answer_timeout = milliseconds(50), .reconnect = milliseconds(10)});
  containerd.Watch([](const std::string&) { FAIL() << "nobody can have told"; });
  size_t cut = 0;
  EXPECT_EQ(containerd.Find("x", &cut).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(containerd.Running(), IsEmpty());
  EXPECT_FALSE(containerd.Ping().ok());
}

}  // namespace
}  // namespace sonde::container
