// SPDX-License-Identifier: Apache-2.0
#include "exporter/recent/recent_traces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "exporter/recent/trace_api.h"
#include "exporter/recent/trace_query.h"
#include "unit/exporter/samples.h"

namespace sonde::exporter {
namespace {

using nlohmann::json;
using testing::HasSubstr;

Batch BatchOf(std::vector<Span> spans) {
  return std::make_shared<const std::vector<Span>>(std::move(spans));
}

class RecentTracesTest : public testing::Test {
 protected:
  // A request of `service` that takes `ms` from the `number`-th second on, on thread 100 + number.
  Span Request(uint64_t number, const std::string& service, uint64_t ms) {
    Span span = ServerSpan(number, MakeResource(service));
    span.start_wall_ns = kNoon + (number * 1000 * kMs);
    span.end_wall_ns = span.start_wall_ns + (ms * kMs);
    span.tgid = 42;
    span.tid = static_cast<uint32_t>(100 + number);
    span.answer_tid = 7;
    return span;
  }
  PageAnswer Ask(const std::string& path, const PageParameters& parameters) {
    for (const Page& page : TracePages(recent_)) {
      if (page.path == path) return page.read(parameters);
    }
    return {.status = 0, .body = ""};
  }
  // Names of the spans that are found.
  std::vector<std::string> Find(const PageParameters& parameters) {
    const PageAnswer answer = Ask("/api/traces", parameters);
    EXPECT_EQ(answer.status, 200) << answer.body;
    std::vector<std::string> names;
    const json parsed = json::parse(answer.body);
    for (const auto& resource : parsed["resourceSpans"]) {
      for (const auto& span : resource["scopeSpans"][0]["spans"]) names.push_back(span["name"]);
    }
    std::ranges::sort(names);
    return names;
  }

  RecentTraces recent_{100, 1000};
};

TEST_F(RecentTracesTest, FindsByEverythingThatASpanHas) {
  Span cart = Request(1, "cart", 5);
  cart.name = "GET /cart";
  Span call = ClientSpan(50, cart);
  call.name = "call";
  Span shop = Request(2, "shop", 900);
  shop.name = "GET /shop";
  shop.status = SpanStatus::kError;
  shop.attributes.push_back({"http.request.header.x", std::vector<std::string>{"a", "b"}});
  const std::string id = cart.trace_id.ToHex();
  recent_.Add(BatchOf({call, cart}));
  recent_.Add(BatchOf({shop}));

  using Names = std::vector<std::string>;
  const Names all{"GET /cart", "GET /shop", "call"};
  const Names of_cart{"GET /cart", "call"};
  const Names of_shop{"GET /shop"};
  EXPECT_EQ(Find({}), all);
  EXPECT_EQ(Find({{"trace_id", id}}), of_cart);
  EXPECT_EQ(Find({{"service", "shop"}}), of_shop);
  EXPECT_EQ(Find({{"operation", "call"}}), of_cart) << "the whole trace";
  EXPECT_EQ(Find({{"min_duration", "500ms"}}), of_shop);
  EXPECT_EQ(Find({{"status", "error"}}), of_shop);
  EXPECT_EQ(Find({{"status", "ok"}}), Names());
  EXPECT_EQ(Find({{"attribute", "url.path=/cart/42"}, {"service", "cart"}}), of_cart);
  EXPECT_EQ(Find({{"attribute", "http.request.header.x=b"}}), of_shop);
  EXPECT_EQ(Find({{"attribute", "http.response.status_code=200"}, {"operation", "call"}}), of_cart);
  EXPECT_EQ(Find({{"attribute", "process.pid=4242"}, {"attribute", "server.port=1"}}), Names());
  const std::string second = std::to_string((kNoon / 1'000'000'000) + 2);
  EXPECT_EQ(Find({{"start", second}}), of_shop);
  EXPECT_EQ(Find({{"end", std::to_string((kNoon / kMs) + 1500)}, {"service", "cart"}}), of_cart);
  EXPECT_EQ(Find({{"limit", "1"}}), of_shop) << "the newest";
  // Both conditions must hold of one span.
  EXPECT_EQ(Find({{"operation", "call"}, {"attribute", "server.port=8080"}}), Names());
}

TEST_F(RecentTracesTest, SaysWhatIsWrongWithAQuestion) {
  const PageParameters wrong[] = {{{"trace_id", "xyz"}},        {{"limit", "0"}},
                                  {{"min_duration", "long"}},   {{"status", "bad"}},
                                  {{"attribute", "no value"}},  {{"start", "yesterday"}},
                                  {{"traceId", "0af7651916cd"}}};
  for (const PageParameters& parameters : wrong) {
    const PageAnswer answer = Ask("/api/traces", parameters);
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr(parameters.begin()->first));
  }
}

TEST_F(RecentTracesTest, HoldsNoMoreThanItMay) {
  for (uint64_t i = 0; i < 1000; ++i) {
    recent_.Add(BatchOf(
        {Request(3 * i, "a", 1), Request((3 * i) + 1, "a", 1), Request((3 * i) + 2, "a", 1)}));
  }
  size_t spans = 0;
  for (const Batch& batch : recent_.Batches()) spans += batch->size();
  EXPECT_EQ(spans, 99U);
  EXPECT_TRUE(recent_.At(42, 0, kNoon + (1999 * 1000 * kMs)).empty()) << "forgotten";
  EXPECT_EQ(recent_.At(42, 0, kNoon + (2000 * 1000 * kMs)).size(), 1U);
}

TEST_F(RecentTracesTest, WhoWasOnAThreadAtATime) {
  recent_.Add(BatchOf({Request(1, "a", 100), Request(2, "a", 5000), Request(3, "a", 10)}));
  const auto at = [&](const std::string& time, const std::string& tid) {
    PageParameters parameters{{"pid", "42"}, {"time", time}};
    if (!tid.empty()) parameters.emplace("tid", tid);
    return Ask("/api/trace-at", parameters);
  };
  const std::string third = std::to_string(kNoon + (3000 * kMs) + (5 * kMs));
  const json one = json::parse(at(third, "103").body);
  EXPECT_EQ(one["certain"], true);
  EXPECT_EQ(one["spans"][0]["traceId"], Request(3, "a", 1).trace_id.ToHex());
  const json two = json::parse(at(third, "").body);
  EXPECT_EQ(two["certain"], false) << "two requests were open then";
  EXPECT_EQ(two["spans"].size(), 2U);
  EXPECT_EQ(two["spans"][0]["traceId"], one["spans"][0]["traceId"]) << "the latest first";
  EXPECT_EQ(json::parse(at(third, "7").body)["spans"].size(), 2U) << "who answered counts too";
  EXPECT_EQ(at(third, "999").status, 404);
  EXPECT_EQ(at("2026-11-21T12:00:01.050Z", "101").status, 200);
  EXPECT_EQ(at("2026-11-21T12:00:01.150Z", "101").status, 404);
  EXPECT_EQ(Ask("/api/trace-at", {{"pid", "42"}}).status, 400);
  EXPECT_EQ(Ask("/api/trace-at", {{"pid", "-1"}, {"time", third}}).status, 400);
}

TEST_F(RecentTracesTest, SlowestAndFailingOfEachService) {
  for (uint64_t i = 1; i <= 40; ++i) {
    Span span = Request(i, i % 2 == 0 ? "even" : "odd", i);
    if (i % 10 == 0) span.status = SpanStatus::kError;
    recent_.Add(BatchOf({span}));
  }
  const json services = json::parse(Ask("/api/services", {}).body)["services"];
  ASSERT_EQ(services.size(), 2U);
  EXPECT_EQ(services[0]["service"], "even");
  EXPECT_EQ(services[0]["spans"], 20);
  EXPECT_EQ(services[0]["errors"], 4);
  ASSERT_EQ(services[0]["slowest"].size(), 5U);
  EXPECT_EQ(services[0]["slowest"][0]["traceId"], Request(40, "", 1).trace_id.ToHex());
  EXPECT_EQ(services[0]["slowest"][4]["traceId"], Request(32, "", 1).trace_id.ToHex());
  EXPECT_EQ(services[0]["failing"][0]["traceId"], Request(40, "", 1).trace_id.ToHex());
  EXPECT_EQ(services[1]["failing"].size(), 0U);
}

TEST_F(RecentTracesTest, ReadersAndTheDrainThreadAtOnce) {
  std::thread reader([&] {
    for (int i = 0; i < 200; ++i) {
      Ask("/api/traces", {{"service", "a"}});
      Ask("/api/trace-at", {{"pid", "42"}, {"time", "1795262400"}});
    }
  });
  for (uint64_t i = 0; i < 2000; ++i) recent_.Add(BatchOf({Request(i, "a", 1)}));
  reader.join();
  EXPECT_EQ(Find({{"service", "a"}}).size(), 20U);
}

TEST(ParseWallNsTest, Units) {
  const uint64_t ns = 1'795'262'400'123'000'000;
  EXPECT_EQ(ParseWallNs("1795262400"), 1'795'262'400'000'000'000U);
  EXPECT_EQ(ParseWallNs("1795262400123"), ns);
  EXPECT_EQ(ParseWallNs("1795262400123000"), ns);
  EXPECT_EQ(ParseWallNs("1795262400123000000"), ns);
  EXPECT_EQ(ParseWallNs("2026-11-21T12:00:00.123Z"), ns);
  EXPECT_EQ(ParseWallNs("2026-11-21T13:00:00.123+01:00"), ns);
  EXPECT_NEAR(static_cast<double>(*ParseWallNs("1795262400.123")), static_cast<double>(ns), 1000);
  for (const char* text : {"", "x", "-5", "1e300", "nan", "2026-11-21"}) {
    EXPECT_FALSE(ParseWallNs(text)) << text;
  }
}

}  // namespace
}  // namespace sonde::exporter
