// SPDX-License-Identifier: Apache-2.0
#include "resource/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "resource/resource_stage.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "support/fake_workloads.h"
#include "unit/discovery/fake_proc.h"

namespace sonde::resource {
namespace {

Endpoint At(std::array<uint8_t, 4> address, uint16_t port) {
  Endpoint endpoint{.family = 4, .port = port, .address = {}, .path = {}};
  std::copy(address.begin(), address.end(), endpoint.address.begin());
  return endpoint;
}

Endpoint Mapped(std::array<uint8_t, 4> address, uint16_t port) {
  Endpoint endpoint{.family = 6, .port = port, .address = {}, .path = {}};
  endpoint.address[10] = endpoint.address[11] = 0xff;
  std::copy(address.begin(), address.end(), endpoint.address.begin() + 12);
  return endpoint;
}

Endpoint Path(std::string path) {
  return {.family = 1, .port = 0, .address = {}, .path = std::move(path)};
}

class PeersTest : public testing::Test {
 protected:
  PeersTest() {
    proc_.Add({.pid = 10,
               .exe = "/bin/server",
               .env = {"OTEL_RESOURCE_ATTRIBUTES=service.name=cart,service.namespace=shop"}});
    stage_ = *ResourceStage::Create({}, proc_.reader(&workloads_), metrics_);
    stage_->ForProcess(10);
    peers_ = std::make_unique<Peers>(*stage_, &workloads_, metrics_);
  }

  void Learn(const Endpoint& local, uint32_t tgid = 10, uint64_t netns = 1) {
    ConnectionInfo connection;
    connection.netns = netns;
    connection.local = local;
    peers_->Learn(connection, tgid);
  }
  // "namespace/name"
  std::string Of(const Endpoint& remote, uint64_t netns = 1) {
    ConnectionInfo connection;
    connection.netns = netns;
    connection.remote = remote;
    Span span;
    peers_->Describe(connection, span);
    const auto text = [&](std::string_view key) {
      const AttributeValue* value = FindAttribute(span.attributes, key);
      return value == nullptr ? std::string() : std::get<std::string>(*value);
    };
    return text("service.peer.namespace") + "/" + text("service.peer.name");
  }

  FakeProc proc_;
  FakeWorkloads workloads_;
  MetricRegistry metrics_;
  std::unique_ptr<ResourceStage> stage_;
  std::unique_ptr<Peers> peers_;
};

TEST_F(PeersTest, WhoAnsweredThereBefore) {
  EXPECT_EQ(Of(At({10, 0, 0, 5}, 80)), "/");
  Learn(At({10, 0, 0, 5}, 80));
  EXPECT_EQ(Of(At({10, 0, 0, 5}, 80)), "shop/cart");
  EXPECT_EQ(Of(At({10, 0, 0, 5}, 80), 7), "shop/cart") << "from another network namespace";
  EXPECT_EQ(Of(Mapped({10, 0, 0, 5}, 80)), "shop/cart");
  EXPECT_EQ(Of(At({10, 0, 0, 5}, 81)), "/");
  EXPECT_EQ(Of(At({10, 0, 0, 6}, 80)), "/");
}

TEST_F(PeersTest, LoopbackAndPathsBelongToTheirNamespace) {
  Learn(Mapped({127, 0, 0, 1}, 80));
  Learn(Path("@shop"));
  EXPECT_EQ(Of(At({127, 0, 0, 1}, 80)), "shop/cart");
  EXPECT_EQ(Of(At({127, 0, 0, 1}, 80), 2), "/");
  EXPECT_EQ(Of(Path("@shop")), "shop/cart");
  EXPECT_EQ(Of(Path("@shop"), 2), "/");
  Learn(Path(""));
  EXPECT_EQ(Of(Path("")), "/") << "sockets without a name are all alike";
}

TEST_F(PeersTest, WhoHasEndedIsNotNamed) {
  Learn(At({10, 0, 0, 5}, 80));
  ProcessEvent exit;
  exit.change = ProcessChange::kExit;
  exit.tgid = 10;
  exit.mono_ns = 5;
  stage_->OnProcess(exit);
  EXPECT_EQ(Of(At({10, 0, 0, 5}, 80)), "/");
  proc_.Add({.pid = 11, .exe = "/bin/server", .env = {"OTEL_SERVICE_NAME=next"}});
  stage_->ForProcess(11);
  Learn(At({10, 0, 0, 5}, 80), 11);
  EXPECT_EQ(Of(At({10, 0, 0, 5}, 80)), "/next");
}

TEST_F(PeersTest, AContainerByItsAddress) {
  workloads_.Know(FakeWorkloads::Id('a'), "redis-1", {{"com.docker.compose.service", "redis"}},
                  {"172.17.0.2", "fd00::2"});
  EXPECT_EQ(Of(At({172, 17, 0, 2}, 6379)), "/redis");
  EXPECT_EQ(Of(Mapped({172, 17, 0, 2}, 6379)), "/redis");
  EXPECT_EQ(Of(At({172, 17, 0, 3}, 6379)), "/");
  Learn(At({172, 17, 0, 2}, 6379));
  EXPECT_EQ(Of(At({172, 17, 0, 2}, 6379)), "shop/cart") << "the process knows better";
}

TEST_F(PeersTest, APodByItsAddress) {
  PodFacts pod;
  pod.name = "cart-6d4b75cb6d-x2x1z";
  pod.namespace_name = "shop";
  pod.owners = {{.kind = "Deployment", .name = "cart", .uid = "1"}};
  workloads_.KnowPod("10.244.0.7", std::move(pod));
  EXPECT_EQ(Of(At({10, 244, 0, 7}, 80)), "shop/cart");
  EXPECT_EQ(Of(At({10, 244, 0, 8}, 80)), "/");
}

TEST_F(PeersTest, AServiceByItsAddress) {
  workloads_.KnowService("10.96.0.7", {.name = "cart", .namespace_name = "shop"});
  EXPECT_EQ(Of(At({10, 96, 0, 7}, 80)), "shop/cart");
  EXPECT_EQ(Of(Mapped({10, 96, 0, 7}, 80)), "shop/cart");
  EXPECT_EQ(Of(At({10, 96, 0, 8}, 80)), "/");
}

TEST_F(PeersTest, Bounded) {
  Learn(At({10, 0, 0, 5}, 80));
  for (uint32_t i = 0; i < Peers::kMaxServers; ++i) {
    Learn(At({10, 1, static_cast<uint8_t>(i >> 8U), static_cast<uint8_t>(i)}, 80));
  }
  EXPECT_EQ(Of(At({10, 0, 0, 5}, 80)), "/");
  EXPECT_EQ(Of(At({10, 1, 15, 255}, 80)), "shop/cart");
}

}  // namespace
}  // namespace sonde::resource
