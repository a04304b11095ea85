// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/object_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "container/line_splitter.h"
#include "kubernetes/owner_names.h"
#include "support/kube_api.h"

namespace sonde::kubernetes {
namespace {

using support::KubeApi;
using Json = nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

std::string Event(const std::string& type, const Json& object) {
  return Json{{"type", type}, {"object", object}}.dump();
}

TEST(PodJson, WholePod) {
  Json pod = KubeApi::MakePod("web-1", "u1", "c1");
  pod["metadata"]["resourceVersion"] = "17";
  pod["metadata"]["ownerReferences"] =
      Json::array({{{"kind", "Other"}, {"name", "o"}, {"uid", "1"}},
                   {{"kind", "ReplicaSet"}, {"name", "web"}, {"uid", "2"}, {"controller", true}}});
  pod["metadata"]["managedFields"] = Json::array({{{"manager", "kubelet"}}});
  const Json refers = {{"name", "NODE"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "x"}}}}}};
  pod["spec"]["containers"][0]["env"] = Json::array({{{"name", "A"}, {"value", "1"}},
                                                     {{"name", "B"}, {"value", "$(A)/b"}},
                                                     refers,
                                                     {{"name", "EMPTY"}},
                                                     {{"name", "A"}, {"value", "2"}}});
  // A label may have the name of a part that is otherwise left out.
  pod["metadata"]["labels"] = {{"spec", "s"}, {"managedFields", "m"}, {"env", "prod"}};
  pod["status"]["initContainerStatuses"] =
      Json::array({{{"name", "init"}, {"containerID", "cri-o://c2"}}});
  pod["status"]["ephemeralContainerStatuses"] =
      Json::array({{{"name", "debug"}, {"containerID", "docker://c3"}}});
  size_t cut = 0;
  const auto event = ParseWatchEvent<Pod>(Event("ADDED", pod), &cut);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, ChangeType::kPut);
  EXPECT_EQ(event->resource_version, "17");
  EXPECT_EQ(event->object.name, "web-1");
  EXPECT_EQ(event->object.node, "node-1");
  EXPECT_EQ(event->object.created_s, 1795309200);
  EXPECT_THAT(event->object.labels,
              ElementsAre(Pair("env", "prod"), Pair("managedFields", "m"), Pair("spec", "s")));
  ASSERT_THAT(event->object.owners, SizeIs(2));
  EXPECT_EQ(event->object.owners[0].kind, "ReplicaSet");
  ASSERT_THAT(event->object.containers, SizeIs(3));
  EXPECT_EQ(event->object.containers[0].id, "c1");
  EXPECT_EQ(event->object.containers[0].restart_count, 2U);
  EXPECT_EQ(event->object.containers[0].image_name, "registry:5000/shop/web");
  EXPECT_EQ(event->object.containers[0].image_tag, "1.2");
  EXPECT_THAT(event->object.containers[0].env, ElementsAre(Pair("EMPTY", ""), Pair("A", "2")));
  EXPECT_EQ(event->object.containers[1].id, "c2");
  EXPECT_EQ(event->object.containers[2].id, "c3");
  EXPECT_EQ(cut, 0U);
}

TEST(PodJson, AddressesOfItsOwn) {
  size_t cut = 0;
  const auto addresses = [&](const std::string& spec, const std::string& status) {
    const auto page =
        ParseList<Pod>(R"({"metadata":{},"items":[{"metadata":{"name":"a","uid":"1"},"spec":)" +
                           spec + R"(,"status":)" + status + "}]}",
                       &cut);
    return page && page->items.size() == 1 ? page->items[0].addresses
                                           : std::vector<std::string>{"?"};
  };
  const std::string two = R"("podIP":"10.0.0.7","podIPs":[{"ip":"10.0.0.7"},{"ip":"fd00::7"}])";
  EXPECT_THAT(addresses("{}", "{" + two + "}"), testing::ElementsAre("10.0.0.7", "fd00::7"));
  EXPECT_THAT(addresses(R"({"hostNetwork":true})", "{" + two + "}"), testing::IsEmpty());
  EXPECT_THAT(addresses("{}", R"({"phase":"Succeeded",)" + two + "}"), testing::IsEmpty());
  EXPECT_THAT(addresses("{}", R"({"podIPs":[7,{"ip":7},null]})"), testing::IsEmpty());
  EXPECT_THAT(addresses("{}", R"({"podIPs":{}})"), testing::IsEmpty());
}

TEST(PodJson, HostileLabels) {
  Json pod = KubeApi::MakePod("web", "u1", "c1");
  pod["metadata"]["labels"] = {{"a", "one\ntwo\x1b[31m"}, {"number", 7}};
  pod["metadata"]["annotations"] = {{"big", std::string(1U << 20, 'x')}};
  for (int i = 0; i < 1000; ++i) pod["metadata"]["annotations"]["k" + std::to_string(i)] = "v";
  size_t cut = 0;
  const auto event = ParseWatchEvent<Pod>(Event("MODIFIED", pod), &cut);
  ASSERT_TRUE(event);
  EXPECT_THAT(event->object.labels, ElementsAre(Pair("a", "one two [31m")));
  EXPECT_THAT(event->object.annotations, SizeIs(256));
  EXPECT_EQ(event->object.annotations[0].first, "big");
  EXPECT_EQ(event->object.annotations[0].second.size(), kMaxLabelBytes);
  EXPECT_GT(cut, 700U);
}

TEST(PodJson, WrongShapes) {
  size_t cut = 0;
  for (const char* text :
       {"", "{", "null", "[]", "{\"type\":\"ADDED\"}", "{\"type\":\"ADDED\",\"object\":{}}",
        "{\"type\":7,\"object\":{\"metadata\":{\"uid\":\"u\",\"name\":\"n\"}}}",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"uid\":1,\"name\":{}}}}"}) {
    EXPECT_FALSE(ParseWatchEvent<Pod>(text, &cut)) << text;
  }
  EXPECT_FALSE(ParseList<Pod>("{\"items\":{}}", &cut));
  EXPECT_FALSE(ParseList<Pod>("{\"kind\":\"Status\",\"metadata\":{},\"items\":7}", &cut));
  const auto odd = ParseList<Pod>(R"({"metadata":{},"items":[null,1,{"metadata":{}},[]]})", &cut);
  ASSERT_TRUE(odd);
  EXPECT_THAT(odd->items, IsEmpty());
  EXPECT_EQ(odd->malformed, 4U);
  const auto none = ParseList<Pod>(R"({"metadata":{"resourceVersion":"5"},"items":null})", &cut);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->resource_version, "5");
}

TEST(PodJson, BookmarkAndError) {
  size_t cut = 0;
  const auto bookmark = ParseWatchEvent<Pod>(
      R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})", &cut);
  ASSERT_TRUE(bookmark);
  EXPECT_EQ(bookmark->type, ChangeType::kBookmark);
  EXPECT_EQ(bookmark->resource_version, "9");
  const auto error =
      ParseWatchEvent<Pod>(R"({"type":"ERROR","object":{"code":410,"message":"old"}})", &cut);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, 410);
  EXPECT_EQ(error->message, "old");
}

TEST(LineSplitter, AnyCutPoint) {
  const std::string text = "one\n\ntwo long\nthree\n";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    container::LineSplitter lines(5);
    std::vector<std::string> got;
    const auto take = [&](std::string_view line) { got.emplace_back(line); };
    lines.Add(std::string_view(text).substr(0, cut), take);
    lines.Add(std::string_view(text).substr(cut), take);
    EXPECT_THAT(got, ElementsAre("one", "three")) << cut;
    EXPECT_EQ(lines.left_out(), 1U) << cut;
  }
}

Pod OwnedBy(const std::string& kind, const std::string& name) {
  Pod pod;
  pod.owners = {{.kind = kind, .name = name, .uid = "1"}};
  pod.created_s = 1795309200;  // minute 29921820
  return pod;
}

TEST(OwnerNames, Deployment) {
  Pod pod = OwnedBy("ReplicaSet", "shop-web-6d4b75cb6d");
  EXPECT_FALSE(DeriveOwner(pod));  // without the label it is anybody's name
  pod.labels = {{"pod-template-hash", "6d4b75cb6d"}};
  ASSERT_TRUE(DeriveOwner(pod));
  EXPECT_EQ(DeriveOwner(pod)->kind, "Deployment");
  EXPECT_EQ(DeriveOwner(pod)->name, "shop-web");
  pod.labels = {{"pod-template-hash", "other"}};
  EXPECT_FALSE(DeriveOwner(pod));
}

TEST(OwnerNames, CronJob) {
  ASSERT_TRUE(DeriveOwner(OwnedBy("Job", "report-29921819")));
  EXPECT_EQ(DeriveOwner(OwnedBy("Job", "report-29921819"))->name, "report");
  EXPECT_FALSE(DeriveOwner(OwnedBy("Job", "load-20261122")));  // a date, not that minute
  EXPECT_FALSE(DeriveOwner(OwnedBy("Job", "load-1")));
  EXPECT_FALSE(DeriveOwner(OwnedBy("Job", "load")));
  EXPECT_FALSE(DeriveOwner(OwnedBy("StatefulSet", "db-29921819")));
}

}  // namespace
}  // namespace sonde::kubernetes
