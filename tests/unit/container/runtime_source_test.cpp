// SPDX-License-Identifier: Apache-2.0
#include "container/runtime_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "container/endpoints.h"
#include "container/engine.h"
#include "container/provider.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/workload.h"
#include "support/fake_engine.h"

namespace sonde::container {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

Membership Of(const std::string& id, const std::string& runtime = {}) {
  Membership membership;
  membership.container_id = id;
  membership.runtime = runtime;
  return membership;
}

RuntimeSource::Options WithRoomFor(size_t containers) {
  RuntimeSource::Options options;
  options.max_containers = containers;
  return options;
}

RuntimeSource::Options Checking(milliseconds pace) {
  RuntimeSource::Options options;
  options.file_check = pace;
  return options;
}

class RuntimeSourceTest : public testing::Test {
 protected:
  void Start(Engine::Options engine = {}, RuntimeSource::Options options = {}) {
    std::vector<std::unique_ptr<Provider>> providers;
    providers.push_back(std::make_unique<Engine>(
        Endpoint{.engine = "docker", .socket = engine_.socket(), .url = {}, .origin = "test"},
        engine));
    source_ = std::make_unique<RuntimeSource>(std::move(providers), metrics_, std::move(options));
  }

  static std::string Describe(const std::string& id, const std::string& name) {
    return R"({"Id":")" + id + R"(","Name":"/)" + name +
           R"(","Config":{"Labels":{"team":"shop"}}})";
  }

  template <typename Condition>
  static bool Within(milliseconds limit, const Condition& condition) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return true;
  }

  std::string NameOf(const std::string& id) {
    const auto facts = source_->Container(Of(id));
    return facts == nullptr ? "" : facts->name;
  }

  double Metric(const std::string& name, const std::string& label) const {
    double sum = 0;
    for (const MetricFamily& family : metrics_.Snapshot()) {
      if (family.name != name) continue;
      for (const MetricSample& sample : family.samples) {
        for (const auto& [key, value] : sample.labels) {
          if (value == label) sum += sample.value;
        }
      }
    }
    return sum;
  }

  FakeEngine engine_;
  MetricRegistry metrics_;
  std::unique_ptr<RuntimeSource> source_;
};

TEST_F(RuntimeSourceTest, AsksAndRemembers) {
  engine_.Answer("/containers/abc/json", Describe("abc", "web"));
  engine_.set_delay(milliseconds(300));
  engine_.Listen();
  Start();
  EXPECT_EQ(source_->Container(Of("abc")), nullptr);
  EXPECT_TRUE(source_->Pending(Of("abc")));
  source_->Settle(seconds(5));
  EXPECT_FALSE(source_->Pending(Of("abc")));
  EXPECT_THAT(source_->TakeChanged(), ElementsAre("abc"));
  EXPECT_EQ(NameOf("abc"), "web");
  EXPECT_EQ(NameOf("abc"), "web");
  EXPECT_EQ(Metric("sonde_container_lookups_total", "found"), 1);
}

// The rest may be secrets.
TEST_F(RuntimeSourceTest, OnlyWantedVariablesAreKept) {
  engine_.Answer("/containers/abc/json",
                 R"({"Id":"abc","Config":{"Env":["SECRET=x","WANTED=1"]}})");
  engine_.Listen();
  RuntimeSource::Options options;
  options.wanted_env = {"WANTED"};
  Start({}, std::move(options));
  source_->Container(Of("abc"));
  source_->Settle(seconds(5));
  ASSERT_NE(source_->Container(Of("abc")), nullptr);
  EXPECT_THAT(source_->Container(Of("abc"))->env, ElementsAre(testing::Pair("WANTED", "1")));
}

TEST_F(RuntimeSourceTest, NobodyKnowsIt) {
  engine_.Listen();
  Start();
  EXPECT_EQ(NameOf("abc"), "");
  source_->Settle(seconds(5));
  EXPECT_FALSE(source_->Pending(Of("abc")));
  EXPECT_THAT(source_->TakeChanged(), ElementsAre("abc"));  // whoever waits must hear of it
  EXPECT_GE(Metric("sonde_container_lookups_total", "not_found"), 3);
}

TEST_F(RuntimeSourceTest, NoEngineIsNoWait) {
  Start();
  EXPECT_EQ(NameOf("abc"), "");
  source_->Settle(seconds(5));
  EXPECT_FALSE(source_->Pending(Of("abc")));
  EXPECT_GE(Metric("sonde_container_lookups_total", "unreachable"), 1);
}

TEST_F(RuntimeSourceTest, EventsBringNewContainersAndNames) {
  engine_.Listen();
  Start();
  ASSERT_TRUE(Within(seconds(5), [&] { return engine_.streams() == 1; }));
  engine_.Answer("/containers/abc/json", Describe("abc", "web"));
  engine_.Event(R"({"Type":"container","Action":"create","Actor":{"ID":"abc"}})");
  ASSERT_TRUE(Within(seconds(1), [&] { return !source_->TakeChanged().empty(); }));
  EXPECT_EQ(NameOf("abc"), "web");  // without having been asked for
  engine_.Answer("/containers/abc/json", Describe("abc", "shop"));
  engine_.Event("garbage");
  engine_.Event(std::string(2U << 20, 'x'));
  engine_.Event(R"({"Type":"container","Action":"rename","Actor":{"ID":"abc"}})");
  EXPECT_TRUE(Within(seconds(1), [&] { return NameOf("abc") == "shop"; }));
}

TEST_F(RuntimeSourceTest, EngineThatComesLaterIsFound) {
  Start();
  EXPECT_EQ(NameOf("abc"), "");
  source_->Settle(seconds(5));
  engine_.Answer("/containers/abc/json", Describe("abc", "web"));
  engine_.Answer("/containers/json", R"([{"Id":"abc"},{"Id":"gone"}])");
  engine_.Listen();
  EXPECT_TRUE(Within(milliseconds(1500), [&] { return NameOf("abc") == "web"; }));
  engine_.Close();  // and comes again, with other containers
  engine_.Answer("/containers/abc/json", Describe("abc", "shop"));
  engine_.Listen();
  EXPECT_TRUE(Within(milliseconds(1500), [&] { return NameOf("abc") == "shop"; }));
}

TEST_F(RuntimeSourceTest, SlowEngineHoldsNobodyUp) {
  engine_.set_delay(seconds(30));
  engine_.Listen();
  Start({.answer_timeout = milliseconds(100), .rest = seconds(60), .reconnect = milliseconds(500)});
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) NameOf("c" + std::to_string(i));
  source_->Settle(seconds(5));
  EXPECT_FALSE(source_->Pending(Of("c49")));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(4));
  EXPECT_LE(engine_.asked(), 2);  // then it is left alone
  const auto stopping = std::chrono::steady_clock::now();
  source_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - stopping, seconds(1));
}

TEST_F(RuntimeSourceTest, HostileAnswers) {
  const std::vector<std::string> answers = {
      "",
      "garbage",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"Id\"",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(9U << 20, '['),
      "HTTP/1.1 302 Found\r\nLocation: http://localhost/x\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"Id\":\"other\"}"};
  for (size_t i = 0; i < answers.size(); ++i) {
    engine_.AnswerRaw("/containers/c" + std::to_string(i) + "/json", answers[i]);
  }
  engine_.Answer("/containers/good/json", Describe("good", "web"));
  engine_.Listen();
  Start({.answer_timeout = milliseconds(200),
         .rest = milliseconds(0),
         .reconnect = milliseconds(500)});
  for (size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(NameOf("c" + std::to_string(i)), "");
  EXPECT_EQ(NameOf("../../x"), "");
  EXPECT_TRUE(Within(seconds(10), [&] { return NameOf("good") == "web"; }));
  source_->Settle(seconds(10));
  for (size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(NameOf("c" + std::to_string(i)), "") << i;
  EXPECT_GE(Metric("sonde_container_lookups_total", "malformed"), 3);
}

TEST_F(RuntimeSourceTest, TheLongestNotAskedForIsForgotten) {
  engine_.Listen();
  Start({}, WithRoomFor(10));
  for (int i = 0; i < 100; ++i) NameOf("c" + std::to_string(i));
  EXPECT_GE(Metric("sonde_container_dropped_total", "table_full"), 90);
  EXPECT_FALSE(source_->Pending(Of("c0")));
}

TEST_F(RuntimeSourceTest, AnLxcContainerIsItsName) {
  Start();
  const auto facts = source_->Container(Of("web", "lxc"));
  ASSERT_NE(facts, nullptr);
  EXPECT_EQ(facts->name, "web");
  EXPECT_FALSE(source_->Pending(Of("web")));
}

// A provider without events, whose stamp changes.
class Files final : public Provider {
 public:
  std::string_view name() const override { return "files"; }
  Result<ContainerFacts> Find(const std::string& id, size_t*) override {
    ContainerFacts facts;
    facts.id = id;
    facts.name = "v" + std::to_string(version);
    return facts;
  }
  int64_t Stamp(const std::string&) override { return version; }
  std::atomic<int64_t> version{1};
};

TEST_F(RuntimeSourceTest, FilesAreLookedAtAgain) {
  auto files = std::make_unique<Files>();
  Files* const changing = files.get();
  std::vector<std::unique_ptr<Provider>> providers;
  providers.push_back(std::move(files));
  source_ =
      std::make_unique<RuntimeSource>(std::move(providers), metrics_, Checking(milliseconds(10)));
  EXPECT_TRUE(Within(seconds(5), [&] { return NameOf("abc") == "v1"; }));
  source_->TakeChanged();
  changing->version = 2;
  EXPECT_TRUE(Within(seconds(5), [&] { return NameOf("abc") == "v2"; }));
  EXPECT_THAT(source_->TakeChanged(), ElementsAre("abc"));
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_THAT(source_->TakeChanged(), Not(Contains("abc")));
}

TEST(EndpointsTest, AsTheClientsFindThem) {
  std::map<std::string, std::string> env;
  const auto get = [&env](const char* name) { return env[name]; };
  const auto addresses = [&] {
    std::vector<std::string> found;
    for (const Endpoint& endpoint : FindEndpoints(get).found) {
      found.push_back(endpoint.engine + " " + endpoint.address());
    }
    return found;
  };
  EXPECT_THAT(addresses(),
              ElementsAre("docker /var/run/docker.sock", "podman /run/podman/podman.sock"));
  env["XDG_RUNTIME_DIR"] = "/run/user/7";
  EXPECT_THAT(
      addresses(),
      ElementsAre("docker /var/run/docker.sock", "docker /run/user/7/docker.sock",
                  "podman /run/podman/podman.sock", "podman /run/user/7/podman/podman.sock"));
  env["DOCKER_HOST"] = "unix:///run/podman/podman.sock";
  env["CONTAINER_HOST"] = "unix:///run/podman/podman.sock";
  EXPECT_THAT(addresses(), ElementsAre("docker /run/podman/podman.sock"));
  env["DOCKER_HOST"] = "tcp://127.0.0.1:2375/";
  env["CONTAINER_HOST"] = "ssh://root@host/run/podman.sock";
  EXPECT_THAT(addresses(), ElementsAre("docker http://127.0.0.1:2375"));
  EXPECT_EQ(FindEndpoints(get).problems.size(), 1U);
}

}  // namespace
}  // namespace sonde::container
