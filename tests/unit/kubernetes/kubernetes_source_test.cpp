// SPDX-License-Identifier: Apache-2.0
// The whole source against a server that speaks the API's list and watch.
#include "kubernetes/kubernetes_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sonde/base/metrics.h"
#include "support/kube_api.h"

namespace sonde::kubernetes {
namespace {

using namespace std::chrono_literals;
using support::KubeApi;
using Json = nlohmann::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Pair;

bool Within(std::chrono::milliseconds time, const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

Membership In(const std::string& container, const std::string& pod) {
  Membership of;
  of.container_id = container;
  of.pod_uid = pod;
  return of;
}

class KubernetesSourceTest : public ::testing::Test {
 protected:
  KubernetesSourceTest() {
    options_.watch.node = "node-1";
    options_.watch.first_wait = 20ms;
    options_.watch.max_wait = 100ms;
    options_.watch.kubelet_pause = 50ms;
    options_.watch.kubelet_min_pause = 10ms;
    options_.watch.page_size = 7;
    options_.patience = 300ms;
    options_.table.keep_deleted = 300ms;
  }
  void Start() {
    Access access;
    access.server = api_ == nullptr ? "http://127.0.0.1:1" : api_->Url();
    access.token_file = token_file_;
    std::optional<Access> kubelet;
    if (kubelet_ != nullptr) kubelet.emplace().server = kubelet_->Url();
    source_ = std::make_unique<KubernetesSource>(access, kubelet, options_, metrics_);
  }
  std::shared_ptr<const PodFacts> Of(const std::string& container) {
    return source_->Pod(In(container, "of-" + container));
  }
  double Metric(const std::string& name, const std::string& label = "") {
    double sum = 0;
    for (const MetricFamily& family : metrics_.Snapshot()) {
      if (family.name != name) continue;
      for (const MetricSample& sample : family.samples) {
        bool hit = label.empty();
        for (const auto& [key, value] : sample.labels) hit = hit || value == label;
        if (hit) sum += sample.value;
      }
    }
    return sum;
  }
  void Fill(int pods) {
    for (int i = 0; i < pods; ++i) {
      const std::string n = std::to_string(i);
      api_->Put(KubeApi::MakePod("pod-" + n, "uid-" + n, "c" + n));
    }
  }

  MetricRegistry metrics_;
  std::unique_ptr<KubeApi> api_ = std::make_unique<KubeApi>();
  std::unique_ptr<KubeApi> kubelet_;
  std::string token_file_;
  KubernetesSource::Options options_;
  std::unique_ptr<KubernetesSource> source_;
};

TEST_F(KubernetesSourceTest, ListsInPagesAndFollows) {
  Fill(20);
  Start();
  source_->Settle(5s);
  ASSERT_NE(Of("c19"), nullptr);
  EXPECT_EQ(Of("c19")->name, "pod-19");
  EXPECT_EQ(Of("c19")->container_name, "main");
  EXPECT_EQ(Of("c19")->restart_count, 2U);
  EXPECT_EQ(Of("c19")->node, "node-1");
  EXPECT_EQ(api_->lists(), 3);
  EXPECT_THAT(api_->queries(), Contains(HasSubstr("fieldSelector=spec.nodeName%3Dnode-1")));
  source_->TakeChanged();
  // By uid: of no container in particular.
  ASSERT_NE(source_->Pod(In("", "uid-3")), nullptr);
  EXPECT_EQ(source_->Pod(In("", "uid-3"))->container_name, "");
  EXPECT_FALSE(source_->Pending(In("", "uid-3")));

  ASSERT_TRUE(Within(5s, [&] { return api_->open_watches() == 1; }));
  const auto begun = std::chrono::steady_clock::now();
  api_->Put(KubeApi::MakePod("late", "uid-late", "c-late"));
  ASSERT_TRUE(Within(5s, [&] { return Of("c-late") != nullptr; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 1s);
  EXPECT_THAT(source_->TakeChanged(), Contains("c-late"));
  EXPECT_EQ(Metric("sonde_kubernetes_pods"), 21);
}

// The rest may be secrets.
TEST_F(KubernetesSourceTest, OnlyWantedVariablesAreKept) {
  auto pod = KubeApi::MakePod("web", "uid", "c");
  pod["spec"]["containers"][0]["env"].push_back({{"name", "WANTED"}, {"value", "1"}});
  api_->Put(pod);
  options_.table.wanted_env = {"WANTED"};
  Start();
  source_->Settle(5s);
  ASSERT_NE(Of("c"), nullptr);
  EXPECT_THAT(Of("c")->env, ::testing::ElementsAre(::testing::Pair("WANTED", "1")));
}

TEST_F(KubernetesSourceTest, DeletedPodsStayForAWhile) {
  Fill(1);
  Start();
  source_->Settle(5s);
  ASSERT_TRUE(Within(5s, [&] { return api_->open_watches() == 1; }));
  api_->Delete("uid-0");
  ASSERT_TRUE(Within(5s, [&] { return Metric("sonde_kubernetes_pods") == 0; }));
  EXPECT_NE(Of("c0"), nullptr);
  EXPECT_TRUE(Within(5s, [&] {
    source_->TakeChanged();
    return Of("c0") == nullptr;
  }));
}

TEST_F(KubernetesSourceTest, AContainerThatIsNotInTheStatusYetIsWaitedFor) {
  Json pod = KubeApi::MakePod("web", "of-c1", "c1");
  Json starting = pod;
  starting["status"].erase("containerStatuses");
  api_->Put(starting);
  Start();
  source_->Settle(5s);
  ASSERT_NE(Of("c1"), nullptr);  // the pod is known
  EXPECT_EQ(Of("c1")->container_name, "");
  EXPECT_TRUE(source_->Pending(In("c1", "of-c1")));
  ASSERT_TRUE(Within(5s, [&] { return api_->open_watches() == 1; }));
  source_->TakeChanged();
  api_->Put(pod);
  ASSERT_TRUE(Within(5s, [&] { return Of("c1")->container_name == "main"; }));
  EXPECT_FALSE(source_->Pending(In("c1", "of-c1")));
  EXPECT_THAT(source_->TakeChanged(), Contains("c1"));
}

TEST_F(KubernetesSourceTest, WhoIsNotFoundIsWaitedForOnce) {
  Start();
  source_->Settle(5s);
  const Membership of = In("c9", "u9");
  EXPECT_EQ(source_->Pod(of), nullptr);
  EXPECT_TRUE(source_->Pending(of));
  ASSERT_TRUE(Within(5s, [&] { return !source_->Pending(of); }));
  EXPECT_THAT(source_->TakeChanged(), ElementsAre("c9"));
  EXPECT_EQ(source_->Pod(of), nullptr);
  EXPECT_FALSE(source_->Pending(of));
  // No pod's: nobody is asked.
  EXPECT_EQ(source_->Pod(In("docker", "")), nullptr);
  EXPECT_FALSE(source_->Pending(In("docker", "")));
}

Json Owned(const std::string& kind, const std::string& name) {
  Json pod = KubeApi::MakePod("web-1", "of-c1", "c1");
  pod["metadata"]["labels"]["pod-template-hash"] = "abc";
  pod["metadata"]["ownerReferences"] =
      Json::array({{{"kind", kind}, {"name", name}, {"uid", "rs"}, {"controller", true}}});
  return pod;
}

TEST_F(KubernetesSourceTest, OwnersAreLookedUp) {
  api_->Put(Owned("ReplicaSet", "web-abc"));
  api_->SetObject("/apis/apps/v1/namespaces/shop/replicasets/web-abc",
                  {{"metadata",
                    {{"uid", "rs"},
                     {"ownerReferences",
                      Json::array({{{"kind", "Rollout"}, {"name", "canary"}, {"uid", "d"}}})}}}});
  Start();
  source_->Settle(5s);
  const auto pod = Of("c1");
  ASSERT_NE(pod, nullptr);
  EXPECT_THAT(pod->owners,
              ElementsAre(Field(&PodOwner::kind, "ReplicaSet"), Field(&PodOwner::name, "canary")));
  EXPECT_EQ(api_->gets(), 1);
}

TEST_F(KubernetesSourceTest, OwnersAreDerivedWhereTheApiRefuses) {
  api_->Put(Owned("ReplicaSet", "web-abc"));
  api_->SetScript([](const httplib::Request& request) {
    KubeApi::Answer answer;
    if (request.path.starts_with("/apis/")) answer = {403, R"({"message":"no"})", 0};
    return answer;
  });
  Start();
  source_->Settle(5s);
  ASSERT_NE(Of("c1"), nullptr);
  EXPECT_THAT(Of("c1")->owners,
              ElementsAre(Field(&PodOwner::kind, "ReplicaSet"), Field(&PodOwner::name, "web")));
  EXPECT_FALSE(source_->Pending(In("c1", "of-c1")));
  EXPECT_EQ(Metric("sonde_kubernetes_requests_total", "refused"), 1);
}

TEST_F(KubernetesSourceTest, AnotherObjectOfTheSameNameIsNotTheOwner) {
  api_->Put(Owned("ReplicaSet", "web-xyz"));
  api_->SetObject(
      "/apis/apps/v1/namespaces/shop/replicasets/web-xyz",
      {{"metadata",
        {{"uid", "other"},
         {"ownerReferences", Json::array({{{"kind", "Deployment"}, {"name", "x"}}})}}}});
  Start();
  source_->Settle(5s);
  ASSERT_NE(Of("c1"), nullptr);
  EXPECT_THAT(Of("c1")->owners, ElementsAre(Field(&PodOwner::kind, "ReplicaSet")));
}

TEST_F(KubernetesSourceTest, NamespacesAreReadAgain) {
  options_.lookups.namespaces = true;
  options_.lookups.refresh = 50ms;
  const std::string path = "/api/v1/namespaces/shop";
  const auto labelled = [](const std::string& team) {
    return Json{{"metadata", {{"uid", "n"}, {"labels", {{"team", team}}}}}};
  };
  api_->SetObject(path, labelled("red"));
  api_->Put(KubeApi::MakePod("web", "of-c1", "c1"));
  Start();
  source_->Settle(5s);
  EXPECT_THAT(Of("c1")->namespace_labels, ElementsAre(Pair("team", "red")));
  api_->SetObject(path, labelled("blue"));
  EXPECT_TRUE(Within(5s, [&] { return Of("c1")->namespace_labels == Labels{{"team", "blue"}}; }));
}

TEST_F(KubernetesSourceTest, ExpiredWatchIsListedAnew) {
  Fill(3);
  Start();
  source_->Settle(5s);
  ASSERT_TRUE(Within(5s, [&] { return api_->open_watches() == 1; }));
  const int lists = api_->lists();
  // What happened in between can only be seen by a list.
  api_->SetScript([](const httplib::Request& request) {
    KubeApi::Answer answer;
    if (request.has_param("watch")) answer = {503, "{}", 0};
    return answer;
  });
  api_->EndWatches();
  ASSERT_TRUE(Within(5s, [&] { return api_->open_watches() == 0; }));
  api_->Put(KubeApi::MakePod("new", "uid-new", "c-new"));
  api_->Delete("uid-0");
  api_->Expire();
  api_->SetScript(nullptr);
  ASSERT_TRUE(Within(5s, [&] { return Of("c-new") != nullptr; }));
  EXPECT_GT(api_->lists(), lists);
  EXPECT_EQ(Metric("sonde_kubernetes_pods"), 3);
  // And with an ERROR event inside of a watch.
  ASSERT_TRUE(Within(5s, [&] { return api_->open_watches() == 1; }));
  api_->SendRaw("{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"too old\"}}\n");
  EXPECT_TRUE(Within(5s, [&] { return Metric("sonde_kubernetes_relists_total", "expired") >= 1; }));
  EXPECT_GE(Metric("sonde_kubernetes_watch_restarts_total", "expired"), 1);
}

TEST_F(KubernetesSourceTest, ServicesByAddress) {
  for (int i = 0; i < 20; ++i) {
    const std::string n = std::to_string(i);
    api_->Put(KubeApi::MakeService("service-" + n, "s" + n, "10.96.0." + n));
  }
  api_->Put(KubeApi::MakeService("headless", "h", "None"));
  options_.services = true;
  Start();
  const auto named = [&](const std::string& address) {
    const auto service = source_->ServiceAt(address);
    return service == nullptr ? "" : service->namespace_name + "/" + service->name;
  };
  ASSERT_TRUE(Within(5s, [&] { return named("10.96.0.19") == "shop/service-19"; }));
  EXPECT_EQ(named("10.96.0.3"), "shop/service-3");
  EXPECT_EQ(named("None"), "");
  EXPECT_EQ(named("10.96.1.1"), "");
  EXPECT_EQ(Metric("sonde_kubernetes_services"), 20);
  EXPECT_THAT(api_->queries(), Contains(HasSubstr("/api/v1/services?limit=7")));

  // Another takes an address over; one is deleted; the watch was too far behind.
  ASSERT_TRUE(Within(5s, [&] { return api_->open_watches() == 2; }));
  api_->Delete("s0");
  api_->Put(KubeApi::MakeService("heir", "heir", "10.96.0.0"));
  api_->Put(KubeApi::MakeService("service-1", "s1", "10.96.2.1"));
  ASSERT_TRUE(Within(5s, [&] { return named("10.96.2.1") == "shop/service-1"; }));
  EXPECT_EQ(named("10.96.0.0"), "shop/heir");
  EXPECT_EQ(named("10.96.0.1"), "");
  api_->Delete("heir");
  api_->Expire();
  EXPECT_TRUE(Within(5s, [&] { return named("10.96.0.0").empty(); }));
  EXPECT_EQ(named("10.96.0.19"), "shop/service-19");
}

TEST_F(KubernetesSourceTest, TooManyServicesAreLeftOutAndCounted) {
  for (int i = 0; i < 20; ++i) {
    const std::string n = std::to_string(i);
    api_->Put(KubeApi::MakeService("service-" + n, "s" + n, "10.96.0." + n));
  }
  options_.services = true;
  options_.max_services = 5;
  Start();
  // A page has seven, of which the table takes five; the pages after it are not read.
  EXPECT_TRUE(Within(5s, [&] { return Metric("sonde_kubernetes_services") == 5; }));
  EXPECT_EQ(Metric("sonde_kubernetes_dropped_total", "services_full"), 2);
  EXPECT_EQ(Metric("sonde_kubernetes_dropped_total", "list_too_long"), 1);
}

TEST_F(KubernetesSourceTest, OutageAndReturn) {
  Fill(2);
  Start();
  source_->Settle(5s);
  const int port = api_->port();
  api_.reset();
  ASSERT_TRUE(
      Within(5s, [&] { return Metric("sonde_kubernetes_requests_total", "unreachable") >= 2; }));
  EXPECT_NE(Of("c1"), nullptr);  // what is known stays
  // Nobody answers: there is nothing to wait for.
  EXPECT_EQ(Of("c-new"), nullptr);
  EXPECT_FALSE(source_->Pending(In("c-new", "of-c-new")));
  EXPECT_THAT(source_->TakeChanged(), Contains("c-new"));
  api_ = std::make_unique<KubeApi>(port);
  ASSERT_EQ(api_->port(), port);
  api_->Put(KubeApi::MakePod("new", "u", "c-new"));
  EXPECT_TRUE(Within(5s, [&] { return Of("c-new") != nullptr; }));
  EXPECT_TRUE(Within(5s, [&] { return Metric("sonde_kubernetes_pods") == 1; }));
}

TEST_F(KubernetesSourceTest, KubeletIsAskedWhileTheApiIsAway) {
  api_.reset();
  kubelet_ = std::make_unique<KubeApi>();
  kubelet_->Put(KubeApi::MakePod("web", "u", "c1"));
  Start();
  source_->Settle(5s);
  ASSERT_NE(Of("c1"), nullptr);
  kubelet_->Put(KubeApi::MakePod("new", "u2", "c2"));
  EXPECT_TRUE(Within(5s, [&] { return Of("c2") != nullptr; }));
  EXPECT_GE(Metric("sonde_kubernetes_requests_total", "kubelet_pods"), 2);
}

TEST_F(KubernetesSourceTest, TokenIsReadAgain) {
  token_file_ = ::testing::TempDir() + "sonde-token";
  std::ofstream(token_file_) << "first\n";
  Fill(1);
  Start();
  source_->Settle(5s);
  std::ofstream(token_file_) << "second\n";
  ASSERT_TRUE(Within(5s, [&] { return api_->open_watches() == 1; }));
  api_->EndWatches();
  EXPECT_TRUE(Within(5s, [&] { return api_->tokens().back() == "Bearer second"; }));
  EXPECT_EQ(api_->tokens().front(), "Bearer first");
  std::remove(token_file_.c_str());
}

TEST_F(KubernetesSourceTest, RefusalIsCountedAndRetried) {
  // The server outlives the test.
  const auto refuse = std::make_shared<std::atomic<bool>>(true);
  Fill(1);
  api_->SetScript([refuse](const httplib::Request&) {
    KubeApi::Answer answer;
    if (*refuse) answer = {403, R"({"message":"pods is forbidden"})", 0};
    return answer;
  });
  Start();
  source_->Settle(5s);
  EXPECT_EQ(Of("c0"), nullptr);
  EXPECT_FALSE(source_->Pending(In("c0", "of-c0")));
  EXPECT_GE(Metric("sonde_kubernetes_requests_total", "refused"), 1);
  *refuse = false;
  EXPECT_TRUE(Within(5s, [&] { return Of("c0") != nullptr; }));
}

TEST_F(KubernetesSourceTest, HostileAnswers) {
  Fill(1);
  Start();
  source_->Settle(5s);
  ASSERT_TRUE(Within(5s, [&] { return api_->open_watches() == 1; }));
  api_->SendRaw("garbage\n{\"type\":\"ADDED\",\"object\":7}\n\n");
  api_->SendRaw("{\"type\":\"ADDED\",\"object\":\"" + std::string(5U << 20, 'x') + "\"}\n");
  api_->SendRaw(std::string(1000, '[') + "\n");
  api_->Put(KubeApi::MakePod("after", "u", "c-after"));
  EXPECT_TRUE(Within(10s, [&] { return Of("c-after") != nullptr; }));
  EXPECT_GE(Metric("sonde_kubernetes_dropped_total", "malformed"), 3);
  api_->EndWatches();
  EXPECT_TRUE(
      Within(5s, [&] { return Metric("sonde_kubernetes_dropped_total", "line_too_long") == 1; }));
  // Lists that are none, and that have no end.
  api_->SetScript([](const httplib::Request& request) {
    KubeApi::Answer answer;
    if (request.has_param("watch")) answer = {410, "{}", 0};
    if (request.has_param("limit")) answer = {200, std::string(1000, '{'), 0};
    return answer;
  });
  api_->EndWatches();
  EXPECT_TRUE(
      Within(5s, [&] { return Metric("sonde_kubernetes_requests_total", "malformed") > 0; }));
  api_->SetScript([](const httplib::Request& request) {
    KubeApi::Answer answer;
    if (request.has_param("limit")) answer = {200, std::string(40U << 20, ' '), 0};
    return answer;
  });
  EXPECT_TRUE(
      Within(20s, [&] { return Metric("sonde_kubernetes_requests_total", "too_large") > 0; }));
  EXPECT_NE(Of("c-after"), nullptr);
}

TEST_F(KubernetesSourceTest, SlowServerHoldsNobodyUp) {
  options_.watch.request_timeout = 200ms;
  api_->SetScript([](const httplib::Request&) {
    KubeApi::Answer answer;
    answer.delay_ms = 600;
    return answer;
  });
  Fill(1);
  Start();
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(Of("c0"), nullptr);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 100ms);
  EXPECT_TRUE(
      Within(5s, [&] { return Metric("sonde_kubernetes_requests_total", "unreachable") > 0; }));
  api_->SetScript(nullptr);
  EXPECT_TRUE(Within(5s, [&] { return Of("c0") != nullptr; }));
  const auto stop = std::chrono::steady_clock::now();
  source_.reset();  // with a watch that runs
  EXPECT_LT(std::chrono::steady_clock::now() - stop, 1s);
}

TEST_F(KubernetesSourceTest, ChurnOfAThousandPods) {
  options_.table.max_pods = 600;
  Fill(100);
  Start();
  source_->Settle(5s);
  ASSERT_TRUE(Within(5s, [&] { return api_->open_watches() == 1; }));
  for (int i = 100; i < 1100; ++i) {
    const std::string n = std::to_string(i);
    api_->Put(KubeApi::MakePod("pod-" + n, "uid-" + n, "c" + n));
    api_->Delete("uid-" + std::to_string(i - 100));
    if (i == 600) api_->Expire();
  }
  ASSERT_TRUE(Within(20s, [&] {
    return Of("c1099") != nullptr && Metric("sonde_kubernetes_pods") == 100;
  })) << Metric("sonde_kubernetes_pods");
  for (int i = 1000; i < 1100; ++i) {
    EXPECT_NE(Of("c" + std::to_string(i)), nullptr) << i;
  }
  EXPECT_TRUE(Within(5s, [&] {
    source_->TakeChanged();
    return Of("c999") == nullptr;
  }));
}

}  // namespace
}  // namespace sonde::kubernetes
