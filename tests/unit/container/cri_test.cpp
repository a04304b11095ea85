// SPDX-License-Identifier: Apache-2.0
// The runtime interface's answers; with a real runtime: tests/e2e/test_containerd.py.
#include "container/cri.h"

#include <absl/status/status.h>
#include <cri.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

std::string Answer(const std::string& image, const std::string& reference,
                   const Labels& labels = {}) {
  cri::StatusResponse response;
  cri::ContainerStatus& status = *response.mutable_status();
  status.set_id(std::string(64, 'a'));
  status.mutable_metadata()->set_name("web");
  status.mutable_image()->set_image(image);
  status.set_image_ref(reference);
  for (const auto& [key, value] : labels) (*status.mutable_labels())[key] = value;
  return response.SerializeAsString();
}

ContainerFacts Parse(const std::string& answer, size_t* cut = nullptr) {
  size_t unused = 0;
  const auto facts = ParseCriContainer(answer, cut == nullptr ? &unused : cut);
  EXPECT_TRUE(facts.ok()) << facts.status();
  return facts.value_or(ContainerFacts());
}

TEST(CriTest, NameImageAndLabels) {
  const auto facts = Parse(Answer("registry:5000/shop/web:1.2", "registry:5000/shop/web@sha256:12",
                                  {{"team", "shop"}, {"app", "web"}}));
  EXPECT_EQ(facts.id, std::string(64, 'a'));
  EXPECT_EQ(facts.name, "web");
  EXPECT_EQ(facts.image_name, "registry:5000/shop/web");
  EXPECT_THAT(facts.image_tags, ElementsAre("1.2"));
  EXPECT_THAT(facts.image_digests, ElementsAre("registry:5000/shop/web@sha256:12"));
  EXPECT_EQ(facts.image_id, "");
  EXPECT_THAT(facts.labels, ElementsAre(Pair("app", "web"), Pair("team", "shop")));
}

TEST(CriTest, AnImageThatIsKnownByItsId) {
  const std::string id = "sha256:" + std::string(64, '1');
  const auto facts = Parse(Answer(id, id));
  EXPECT_EQ(facts.image_id, id);
  EXPECT_EQ(facts.image_name, "");
  EXPECT_THAT(facts.image_digests, IsEmpty());
}

TEST(CriTest, HostileAnswers) {
  size_t cut = 0;
  EXPECT_FALSE(ParseCriContainer("no protobuf", &cut).ok());
  EXPECT_FALSE(ParseCriContainer("", &cut).ok());
  Labels many = {{"control", "a\nb\x1b[0m"}, {std::string(300, 'k'), "v"}};
  for (int i = 0; i < 400; ++i) many.emplace_back("label" + std::to_string(i), "v");
  const auto facts = Parse(Answer("", "", many), &cut);
  EXPECT_THAT(facts.labels, SizeIs(256));
  EXPECT_GE(cut, 400U + 2U - 256U);
  for (const auto& [key, value] : facts.labels) {
    EXPECT_EQ(value.find_first_of("\n\x1b"), std::string::npos);
  }
}

TEST(CriTest, NobodyThere) {
  Cri cri("/nowhere/crio.sock");
  size_t cut = 0;
  EXPECT_TRUE(absl::IsUnavailable(cri.Find(std::string(64, 'a'), &cut).status()));
  EXPECT_THAT(cri.Running(), IsEmpty());
}

}  // namespace
}  // namespace sonde::container
