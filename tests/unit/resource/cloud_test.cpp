// SPDX-License-Identifier: Apache-2.0
// The metadata services of clouds, against one of the test's own on loopback.
#include "resource/cloud.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "resource/resource_stage.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"
#include "unit/discovery/fake_proc.h"

namespace sonde::resource {
namespace {

using namespace std::chrono_literals;

constexpr const char* kAws = R"({"accountId":"123456789012","architecture":"x86_64",
  "availabilityZone":"eu-west-1b","imageId":"ami-1","instanceId":"i-1","instanceType":"t3.small",
  "region":"eu-west-1","billingProducts":null})";
constexpr const char* kGcp = R"({"instance":{"id":1520031799277581759,"image":"projects/x/images/y",
  "machineType":"projects/7/machineTypes/e2-medium","zone":"projects/7/zones/europe-west1-b"},
  "project":{"projectId":"shop-prod"}})";
constexpr const char* kAzure = R"({"compute":{"location":"westeurope","subscriptionId":"sub",
  "resourceId":"/subscriptions/sub/vm","vmId":"vm-1","vmSize":"Standard_A1","zone":"2"}})";

std::string Text(const Attributes& attributes, std::string_view key) {
  const AttributeValue* value = FindAttribute(attributes, key);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? "(none)" : *text;
}

TEST(CloudTest, WhatEachSays) {
  const Attributes aws = ParseAws(kAws);
  EXPECT_EQ(Text(aws, "cloud.provider"), "aws");
  EXPECT_EQ(Text(aws, "cloud.platform"), "aws_ec2");
  EXPECT_EQ(Text(aws, "cloud.region"), "eu-west-1");
  EXPECT_EQ(Text(aws, "cloud.availability_zone"), "eu-west-1b");
  EXPECT_EQ(Text(aws, "cloud.account.id"), "123456789012");
  EXPECT_EQ(Text(aws, "host.id"), "i-1");
  EXPECT_EQ(Text(aws, "host.type"), "t3.small");
  EXPECT_EQ(Text(aws, "host.image.id"), "ami-1");
  const Attributes gcp = ParseGcp(kGcp);
  EXPECT_EQ(Text(gcp, "cloud.platform"), "gcp_compute_engine");
  EXPECT_EQ(Text(gcp, "cloud.region"), "europe-west1");
  EXPECT_EQ(Text(gcp, "cloud.availability_zone"), "europe-west1-b");
  EXPECT_EQ(Text(gcp, "cloud.account.id"), "shop-prod");
  EXPECT_EQ(Text(gcp, "host.id"), "1520031799277581759");
  EXPECT_EQ(Text(gcp, "host.type"), "e2-medium");
  const Attributes azure = ParseAzure(kAzure);
  EXPECT_EQ(Text(azure, "cloud.platform"), "azure.vm");
  EXPECT_EQ(Text(azure, "cloud.resource_id"), "/subscriptions/sub/vm");
  EXPECT_EQ(Text(azure, "host.id"), "vm-1");
}

TEST(CloudTest, AnythingElseIsNothing) {
  for (const char* text : {"", "null", "[]", "{", R"({"instanceId":{}})", R"({"instance":7})",
                           R"({"compute":[]})", "<html>login</html>"}) {
    EXPECT_TRUE(ParseAws(text).empty()) << text;
    EXPECT_TRUE(ParseGcp(text).empty()) << text;
    EXPECT_TRUE(ParseAzure(text).empty()) << text;
  }
}

class CloudServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.Put("/latest/api/token",
                [](const httplib::Request& request, httplib::Response& answer) {
                  if (request.has_header("X-aws-ec2-metadata-token-ttl-seconds"))
                    answer.body = "the-token";
                });
    server_.Get("/latest/dynamic/instance-identity/document",
                [this](const httplib::Request& request, httplib::Response& answer) {
                  const bool may =
                      request.get_header_value("X-aws-ec2-metadata-token") == "the-token";
                  answer.status = may ? 200 : 401;
                  answer.body = kAws;
                  std::this_thread::sleep_for(delay_);
                });
    server_.Get(
        "/computeMetadata/v1/", [](const httplib::Request& request, httplib::Response& answer) {
          answer.status = request.get_header_value("Metadata-Flavor") == "Google" ? 200 : 403;
          answer.body = kGcp;
        });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  void TearDown() override {
    server_.stop();
    thread_.join();
  }

  std::optional<Attributes> Ask(std::vector<std::string> providers,
                                std::chrono::milliseconds wait = 5000ms) {
    CloudMetadata cloud({.providers = std::move(providers),
                         .base = "http://127.0.0.1:" + std::to_string(port_),
                         .timeout = 200ms,
                         .retries = {}},
                        metrics_);
    const auto end = std::chrono::steady_clock::now() + wait;
    while (std::chrono::steady_clock::now() < end) {
      if (auto found = cloud.Take()) return found;
      std::this_thread::sleep_for(5ms);
    }
    return std::nullopt;
  }
  uint64_t Lookups(const char* provider, const char* result) {
    return metrics_
        .AddCounter("sonde_cloud_lookups_total", "", {{"provider", provider}, {"result", result}})
        .value();
  }

  httplib::Server server_;
  int port_ = 0;
  std::chrono::milliseconds delay_{0};
  std::thread thread_;
  MetricRegistry metrics_;
};

TEST_F(CloudServiceTest, IsAskedAsItWantsToBe) {
  const auto aws = Ask({"aws"});
  ASSERT_TRUE(aws);
  EXPECT_EQ(Text(*aws, "host.id"), "i-1");
  EXPECT_EQ(Lookups("aws", "found"), 1U);
  const auto gcp = Ask({"gcp"});
  ASSERT_TRUE(gcp);
  EXPECT_EQ(Text(*gcp, "cloud.provider"), "gcp");
}

TEST_F(CloudServiceTest, TheFirstThatAnswersCounts) {
  const auto found = Ask({"azure", "gcp", "aws"});
  ASSERT_TRUE(found);
  EXPECT_EQ(Text(*found, "cloud.provider"), "gcp");
  EXPECT_EQ(Lookups("azure", "unreachable"), 1U);
}

TEST_F(CloudServiceTest, WhoIsSlowIsGivenUp) {
  delay_ = 1000ms;
  EXPECT_FALSE(Ask({"aws"}, 500ms));
  EXPECT_EQ(Lookups("aws", "unreachable"), 1U);
}

TEST(CloudStageTest, ResourcesGetItWhenItComes) {
  FakeProc proc;
  MetricRegistry metrics;
  proc.Add({.pid = 10, .exe = "/bin/a"});
  proc.Write("root/etc/machine-id", "0123456789abcdef\n");
  auto made = ResourceStage::Create({}, proc.reader(), metrics, proc.root() + "/root");
  ASSERT_TRUE(made.ok());
  const auto before = (*made)->ForProcess(10);
  EXPECT_EQ(Text(before->attributes, "host.id"), "0123456789abcdef");
  (*made)->SetCloud(ParseAws(kAws));
  const auto after = (*made)->ForProcess(10);
  EXPECT_EQ(Text(after->attributes, "host.id"), "i-1") << "the conventions' id of a cloud's host";
  EXPECT_EQ(Text(after->attributes, "cloud.region"), "eu-west-1");
  EXPECT_EQ((*made)->Latest(10, before), after);
}

}  // namespace
}  // namespace sonde::resource
