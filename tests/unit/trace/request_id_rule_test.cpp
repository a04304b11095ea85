// SPDX-License-Identifier: Apache-2.0
// Ids that are passed on, and all that is no such thing.
#include "trace/request_id_rule.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

class RequestIdRuleTest : public ::testing::Test {
 protected:
  // Each on a thread of its own, of a process of which nothing else is known.
  Execution Somebody() { return World::Thread(10, ++thread_); }
  void With(const std::string& id, const std::string& name = "x-request-id") {
    w.request.headers.clear();
    if (!id.empty()) w.request.headers.push_back({name, id});
  }
  ExchangeId Read(const std::string& id) {
    With(id);
    return w.Read(w.Connect(), Somebody());
  }
  ExchangeId Call(const std::string& id) {
    With(id);
    const ExchangeId call = w.Send(w.Connect(), Somebody());
    w.Finish(call);
    return call;
  }
  void Settle() { w.Tick(TraceStage::kLateClientNs); }

  const std::string kA = "5ad7e3a2-0000-4000-8000-00000000000a";
  const std::string kB = "5ad7e3a2-0000-4000-8000-00000000000b";
  World w;

 private:
  uint32_t thread_ = 10;
};

TEST_F(RequestIdRuleTest, WhoPassesItOnSaysWhoseCallItIs) {
  const auto r1 = Read(kA);
  const auto r2 = Read(kB);
  const auto b = Call(kB);
  const auto a = Call(kA);
  const auto a2 = Call(kA);
  w.Finish(r1);
  w.Finish(r2);
  Settle();
  EXPECT_TRUE(w.IsChild(a, r1));
  EXPECT_TRUE(w.IsChild(a2, r1));
  EXPECT_TRUE(w.IsChild(b, r2));
  EXPECT_EQ(w.Method(a), "request_id");
}

TEST_F(RequestIdRuleTest, AnIdOfItsOwnOrNoneSaysNothing) {
  const auto request = Read(kA);
  const auto own = Call(kB);
  const auto none = Call("");
  w.Finish(request);
  Settle();
  EXPECT_TRUE(w.IsRoot(own));
  EXPECT_TRUE(w.IsRoot(none));
}

// A session's, or a retry: whose of the requests it is, cannot be told.
TEST_F(RequestIdRuleTest, WhatCameTwiceNamesNobody) {
  const auto first = Read(kA);
  const auto right = Call(kA);
  w.Finish(first);
  const auto second = Read(kA);
  const auto call = Call(kA);
  w.Finish(second);
  Settle();
  EXPECT_TRUE(w.IsChild(right, first));
  EXPECT_TRUE(w.IsRoot(call));
}

TEST_F(RequestIdRuleTest, AfterTheAnswerItIsNobodys) {
  const auto request = Read(kA);
  const auto other = Read(kB);
  w.Finish(request);
  const auto late = Call(kA);
  w.Finish(other);
  Settle();
  EXPECT_TRUE(w.IsRoot(late));
}

TEST_F(RequestIdRuleTest, OfAnotherProcessItIsNotTold) {
  const auto request = Read(kA);
  With(kA);
  const ExchangeId call = w.Send(w.Connect(), World::Thread(20, 21));
  w.Finish(call);
  w.Finish(request);
  Settle();
  EXPECT_TRUE(w.IsRoot(call));
}

TEST_F(RequestIdRuleTest, WhichHeadersCount) {
  const auto id = [](const std::string& name, const std::string& value) {
    HttpRequest request;
    request.headers.push_back({name, value});
    return RequestIdRule::IdOf(request);
  };
  EXPECT_NE(id("x-request-id", kA), 0U);
  EXPECT_NE(id("x-correlation-id", kA), 0U);
  EXPECT_NE(id("x-correlation-id", kA), id("x-request-id", kA));
  EXPECT_NE(id("x-amzn-trace-id", "Root=1-67891233-abcdef012345678912345678"), 0U);
  EXPECT_NE(id("x-cloud-trace-context", "105445aa7843bc8bf206b12000100000/1;o=1"), 0U);
  EXPECT_EQ(id("request-id", kA), 0U);
  EXPECT_EQ(id("x-request-id", "1"), 0U) << "not made for one request alone";
  EXPECT_EQ(id("x-request-id", std::string(300, 'a')), 0U);
}

TEST_F(RequestIdRuleTest, EndOfTheProcess) {
  Read(kA);
  const auto call = Call(kA);
  w.stage->OnProcessExit(10);
  Settle();
  EXPECT_TRUE(w.IsRoot(call));
}

}  // namespace
}  // namespace sonde::trace
