// SPDX-License-Identifier: Apache-2.0
#include "container/state_files.h"

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <string>

#include "sonde/pipeline/workload.h"
#include "unit/discovery/fake_proc.h"

namespace sonde::container {
namespace {

using testing::ElementsAre;
using testing::Pair;

const std::string kId(64, 'a');
const std::string kOther(64, 'b');

class StateFilesTest : public testing::Test {
 protected:
  ContainerFacts Find(const std::string& id) {
    size_t cut = 0;
    auto facts = files_.Find(id, &cut);
    return facts.ok() ? *facts : ContainerFacts();
  }

  FakeProc tree_;  // any tree of files
  StateFiles files_{tree_.root()};
};

TEST_F(StateFilesTest, Docker) {
  const std::string path = "var/lib/docker/containers/" + kId + "/config.v2.json";
  tree_.Write(path, R"({"ID":")" + kId + R"(","Name":"/web","Image":"sha256:12",
      "Config":{"Image":"shop:1","Labels":{"team":"shop"}}})");
  const ContainerFacts facts = Find(kId);
  EXPECT_EQ(facts.name, "web");
  EXPECT_EQ(facts.runtime, "docker");
  EXPECT_EQ(facts.image_name, "shop");
  EXPECT_THAT(facts.labels, ElementsAre(Pair("team", "shop")));
  const auto stamp = files_.Stamp(kId);
  EXPECT_NE(stamp, 0);
  std::filesystem::remove(tree_.root() + "/" + path);
  tree_.Write(path, R"({"ID":")" + kId + R"(","Name":"/shop"})");
  EXPECT_NE(files_.Stamp(kId), stamp);
  EXPECT_EQ(Find(kId).name, "shop");
  tree_.Write(path, R"({"ID":")" + kOther + R"(","Name":"/lie"})");
  EXPECT_EQ(Find(kId).name, "");
}

TEST_F(StateFilesTest, Containerd) {
  tree_.Write(
      "run/containerd/io.containerd.runtime.v2.task/k8s.io/" + kId + "/config.json",
      R"({"ociVersion":"1","process":{"env":["A=1"]},"annotations":{"io.kubernetes.cri.container-name":"web",
                 "io.kubernetes.cri.image-name":"registry/shop/web:1@sha256:5"}})");
  tree_.Write("run/containerd/io.containerd.runtime.v2.task/default/" + kOther + "/config.json",
              R"({"annotations":{"nerdctl/name":"by-hand"}})");
  EXPECT_EQ(Find(kId).name, "web");
  EXPECT_EQ(Find(kId).runtime, "containerd");
  EXPECT_EQ(Find(kId).image_name, "registry/shop/web");
  EXPECT_THAT(Find(kId).image_digests, ElementsAre("registry/shop/web@sha256:5"));
  EXPECT_THAT(Find(kId).env, ElementsAre(Pair("A", "1")));
  EXPECT_EQ(Find(kOther).name, "by-hand");
}

TEST_F(StateFilesTest, Crio) {
  tree_.Write(
      "run/containers/storage/overlay-containers/" + kId + "/userdata/config.json",
      R"({"annotations":{"io.container.manager":"cri-o","io.kubernetes.container.name":"web",
                 "io.kubernetes.cri-o.ImageName":"shop:2","io.kubernetes.cri-o.ImageRef":"9f",
                 "io.kubernetes.cri-o.Labels":"{\"team\":\"shop\"}"},
          "process":{"env":["A=1"]}})");
  const ContainerFacts facts = Find(kId);
  EXPECT_EQ(facts.runtime, "cri-o");
  EXPECT_EQ(facts.name, "web");
  EXPECT_EQ(facts.image_id, "9f");
  EXPECT_THAT(facts.image_tags, ElementsAre("2"));
  EXPECT_THAT(facts.env, ElementsAre(Pair("A", "1")));
  EXPECT_THAT(facts.labels, ElementsAre(Pair("team", "shop")));
}

TEST_F(StateFilesTest, Podman) {
  tree_.Write("run/containers/storage/overlay-containers/" + kId + "/userdata/config.json",
              R"({"annotations":{"io.container.manager":"libpod"},"process":{"env":["A=1"]}})");
  tree_.Write("var/lib/containers/storage/overlay-containers/containers.json",
              R"([{"id":")" + kOther + R"("},{"id":")" + kId + R"(","names":["web"],"image":"4e",
                 "metadata":"{\"image-name\":\"localhost/shop:3\",\"name\":\"web\"}"}])");
  const ContainerFacts facts = Find(kId);
  EXPECT_EQ(facts.runtime, "podman");
  EXPECT_EQ(facts.name, "web");
  EXPECT_EQ(facts.image_id, "4e");
  EXPECT_EQ(facts.image_name, "localhost/shop");
  EXPECT_THAT(facts.env, ElementsAre(Pair("A", "1")));
}

TEST_F(StateFilesTest, ForeignFilesAreRefused) {
  size_t cut = 0;
  EXPECT_TRUE(absl::IsNotFound(files_.Find(kId, &cut).status()));
  EXPECT_TRUE(absl::IsNotFound(files_.Find("../../../etc", &cut).status()));
  EXPECT_EQ(files_.Stamp("../x"), 0);
  for (const char* text : {"", "[", "null", "[1,{}]", R"([{"id":7}])", "{}", "\xff"}) {
    EXPECT_FALSE(ParseCrioSpec(kId, text, &cut)) << text;
    EXPECT_FALSE(ParseStorageList(kId, text, &cut)) << text;
  }
  const std::string directory = "var/lib/docker/containers/" + kId;
  tree_.Write(directory + "/x", "");
  ASSERT_EQ(mkfifo((tree_.root() + "/" + directory + "/config.v2.json").c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsUnavailable(files_.Find(kId, &cut).status()));
}

TEST_F(StateFilesTest, PlacesThatAreThere) {
  EXPECT_TRUE(files_.Places().empty());
  tree_.Write("var/lib/docker/containers/x/y", "");
  ASSERT_EQ(files_.Places().size(), 1U);
  EXPECT_EQ(files_.Places()[0].runtime, "docker");
  EXPECT_TRUE(files_.Places()[0].readable);
}

}  // namespace
}  // namespace sonde::container
