// SPDX-License-Identifier: Apache-2.0
// Routes learnt from realistic path sets: few names, the right ones, and no value ever among them.
#include "span/route_learner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "span/route_tree.h"

namespace sonde::span {
namespace {

class RouteTest : public ::testing::Test {
 protected:
  explicit RouteTest(RouteOptions options = {}) : learner(options, metrics) {}
  std::string Route(const std::string& path, uint32_t status = 200) {
    return std::string(learner.RouteOf("shop", path, status));
  }

  MetricRegistry metrics;
  RouteLearner learner;
};

TEST_F(RouteTest, ByShapeAtOnce) {
  for (const auto& [path, route] : std::map<std::string, std::string>{
           {"/", "/"},
           {"/users/17", "/users/{id}"},
           {"/users/17/orders/2024-05-17", "/users/{id}/orders/{date}"},
           {"/api/v1/items/018f4e5c-7b1a-7c3e-9d2f-0a1b2c3d4e5f", "/api/v1/items/{id}"},
           {"/static/js/main.3f2a9c1d.js", "/static/js/{file}.js"},
           {"/users/", "/users/"},
           {"//users///17", "/users/{id}"},
           {"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o", "/a/b/c/d/e/f/g/h/i/j/k/l/*"},
           {"/users/john%40example.com", "/users/{email}"},
       }) {
    EXPECT_EQ(Route(path), route) << path;
    EXPECT_EQ(Route(path), route) << path;
  }
}

TEST_F(RouteTest, NoRouteForWhatIsNotAPath) {
  EXPECT_EQ(Route("*"), "");
  EXPECT_EQ(Route(""), "");
  EXPECT_EQ(Route("example.com:443"), "");
}

TEST_F(RouteTest, NotFoundTeachesNothing) {
  EXPECT_EQ(Route("/wp-admin/setup.php", 404), "");
  EXPECT_EQ(Route("/wp-admin/setup.php", 0), "");
  EXPECT_EQ(Route("/users/17"), "/users/{id}");
  EXPECT_EQ(Route("/users/18", 404), "/users/{id}");  // a known route, only the user is missing
  EXPECT_EQ(Route("/users", 404), "");
}

TEST_F(RouteTest, ServicesLearnApart) {
  EXPECT_EQ(learner.RouteOf("a", "/x", 200), "/x");
  EXPECT_EQ(learner.RouteOf("b", "/x", 404), "");
}

TEST_F(RouteTest, TenThousandUserNames) {
  std::mt19937 random(1);
  const auto name = [&random] {
    std::string text;
    for (uint64_t i = 0, n = 4 + (random() % 8); i < n; ++i)
      text.push_back(static_cast<char>('a' + (random() % 26)));
    return text;
  };
  std::set<std::string> routes;
  std::set<std::string> later;
  for (int i = 0; i < 10'000; ++i) {
    const std::string route = Route("/users/" + name() + (i % 2 == 0 ? "" : "/posts"));
    routes.insert(route);
    if (i >= 100) later.insert(route);
  }
  // Before the node is judged some names are seen as routes; afterwards none ever again.
  EXPECT_LE(routes.size(), 2U + 64U);
  EXPECT_EQ(later, (std::set<std::string>{"/users/{id}", "/users/{id}/posts"}));
}

TEST_F(RouteTest, OftenUsedNamesSurviveTheCollapse) {
  for (int i = 0; i < 2'000; ++i) {
    Route("/users/me");
    Route("/users/search");
    Route("/users/n" + std::string(1, static_cast<char>('a' + (i % 26))) +
          std::string(1, static_cast<char>('a' + (i / 26 % 26))) +
          std::string(1, static_cast<char>('a' + (i / 676))));
  }
  EXPECT_EQ(Route("/users/me"), "/users/me");
  EXPECT_EQ(Route("/users/search"), "/users/search");
  EXPECT_EQ(Route("/users/somebody"), "/users/{id}");
}

TEST_F(RouteTest, ARealApiKeepsItsNames) {
  std::vector<std::string> endpoints;
  for (int i = 0; i < 60; ++i) {
    endpoints.push_back("/api/" + std::string(1, static_cast<char>('a' + (i % 26))) + "resource" +
                        std::string(1, static_cast<char>('a' + (i / 26))));
  }
  std::mt19937 random(2);
  for (int i = 0; i < 5'000; ++i) Route(endpoints[random() % endpoints.size()]);
  for (const std::string& endpoint : endpoints) EXPECT_EQ(Route(endpoint), endpoint);
}

TEST_F(RouteTest, ScannerFillsNothing) {
  Route("/shop");
  for (int i = 0; i < 10'000; ++i)
    EXPECT_EQ(Route("/admin" + std::to_string(i) + "x/setup", 404), "");
  EXPECT_EQ(Route("/other"), "/other");
}

// Values of every kind under fixed names: the names of the routes may hold nothing but the fixed
// names.
TEST_F(RouteTest, ValuesNeverAppear) {
  std::mt19937_64 random(3);
  const auto characters = [&random](const std::string& alphabet, size_t n) {
    std::string text;
    for (size_t i = 0; i < n; ++i) text.push_back(alphabet[random() % alphabet.size()]);
    return text;
  };
  const std::string hex = "0123456789abcdef";
  std::set<std::string> routes;
  for (int i = 0; i < 5'000; ++i) {
    routes.insert(Route("/orders/" + std::to_string(random() % 1'000'000)));
    routes.insert(Route("/commits/" + characters(hex, 40)));
    routes.insert(Route("/sessions/01" + characters("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24)));
    routes.insert(Route("/by/" + characters(hex, 8) + "-" + characters(hex, 4) + "-" +
                        characters(hex, 4) + "-" + characters(hex, 4) + "-" + characters(hex, 12) +
                        "/edit"));
    routes.insert(Route("/days/20" + characters("012", 1) + characters("0123456789", 1) + "-0" +
                        characters("123456789", 1) + "-1" + characters("0123456789", 1)));
    routes.insert(Route("/assets/chunk-" + characters(hex, 8) + ".css"));
    routes.insert(Route("/mail/" + characters("abcdefgh", 8) + "@example.com"));
  }
  EXPECT_EQ(routes, (std::set<std::string>{"/orders/{id}", "/commits/{id}", "/sessions/{id}",
                                           "/by/{id}/edit", "/days/{date}", "/assets/{file}.css",
                                           "/mail/{email}"}));
}

class SmallRouteTest : public RouteTest {
 protected:
  SmallRouteTest() : RouteTest({.patterns = {}, .max_per_service = 10}) {}
};

TEST_F(SmallRouteTest, OverflowHasOneName) {
  std::set<std::string> routes;
  for (char a = 'a'; a <= 'z'; ++a) {
    for (int times = 0; times < 3; ++times) routes.insert(Route(std::string("/") + a + "x/list"));
  }
  EXPECT_EQ(routes.size(), 11U);
  EXPECT_TRUE(routes.contains("/*"));
  EXPECT_EQ(Route("/ax/list"), "/ax/list");  // what was learnt stays
  EXPECT_GT(metrics.Snapshot()[0].samples[0].value, 0);
}

class PatternTest : public RouteTest {
 protected:
  PatternTest()
      : RouteTest({.patterns = {"/users/{name}", "/users/:name/posts", "/files/**",
                                "/proxy/{rest...}", "/fixed"},
                   .max_per_service = 10}) {}
};

TEST_F(PatternTest, OperatorPatternsComeFirst) {
  EXPECT_EQ(Route("/users/alice"), "/users/{name}");
  EXPECT_EQ(Route("/users/alice", 404), "/users/{name}");
  EXPECT_EQ(Route("/users/alice/posts"), "/users/:name/posts");
  EXPECT_EQ(Route("/users/alice/other"), "/users/alice/other");
  EXPECT_EQ(Route("/users/"), "/users/");
  EXPECT_EQ(Route("/files/a/b/c"), "/files/**");
  EXPECT_EQ(Route("/files"), "/files/**");
  EXPECT_EQ(Route("/proxy/x/y"), "/proxy/{rest...}");
  EXPECT_EQ(Route("/fixed"), "/fixed");
}

TEST(RouteTreeTest, MemoryIsBounded) {
  RouteTree tree(50);
  std::mt19937 random(4);
  for (int i = 0; i < 50'000; ++i) {
    std::string path;
    for (uint64_t depth = 0, n = 1 + (random() % 6); depth < n; ++depth) {
      path += "/";
      for (int c = 0; c < 5; ++c) path.push_back(static_cast<char>('a' + (random() % 26)));
    }
    tree.Find(path, true);
    ASSERT_LE(tree.routes(), 50U);
    ASSERT_LE(tree.nodes(), (4U * 50U) + 16U);
  }
}

TEST(RouteTreeTest, LearnersAreBounded) {
  MetricRegistry metrics;
  RouteLearner learner({}, metrics);
  for (size_t i = 0; i < 2 * RouteLearner::kMaxServices; ++i) {
    EXPECT_EQ(learner.RouteOf("service" + std::to_string(i), "/x", 200), "/x");
  }
}

TEST_F(RouteTest, VeryLongPaths) {
  std::string path;
  for (int i = 0; i < 10'000; ++i) path += "/a";
  EXPECT_EQ(Route(path), "/a/a/a/a/a/a/a/a/a/a/a/a/*");
  EXPECT_EQ(Route("/" + std::string(100'000, 'a')), "/{id}");
  EXPECT_EQ(Route(std::string(100'000, '/')), "/");
}

}  // namespace
}  // namespace sonde::span
