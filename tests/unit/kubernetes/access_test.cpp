// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "sonde/config/config.h"

namespace sonde::kubernetes {
namespace {

using ::testing::HasSubstr;

class AccessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "sonde-access-" +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/" + name) << text;
    return directory_ + "/" + name;
  }
  GetEnv Env() {
    return [this](const char* name) { return env_.contains(name) ? env_[name] : std::string(); };
  }

  std::string directory_;
  std::map<std::string, std::string> env_;
};

TEST_F(AccessTest, ServiceAccount) {
  env_ = {{"KUBERNETES_SERVICE_HOST", "fd00::1"}, {"KUBERNETES_SERVICE_PORT", "6443"}};
  auto missing = FindAccess({}, Env(), directory_);
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("automountServiceAccountToken"));
  Write("token", "t\n");
  Write("ca.crt", "c");
  const auto access = FindAccess({}, Env(), directory_);
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->server, "https://[fd00::1]:6443");
  EXPECT_EQ(access->token_file, directory_ + "/token");
}

TEST_F(AccessTest, NotInACluster) {
  EXPECT_FALSE(InCluster(Env()));
  EXPECT_THAT(std::string(FindAccess({}, Env(), directory_).status().message()),
              HasSubstr("sonde.kubernetes.kubeconfig"));
}

TEST_F(AccessTest, Kubeconfig) {
  KubernetesOptions options;
  options.kubeconfig = Write("config", R"(
apiVersion: v1
current-context: second
contexts:
- {name: first, context: {cluster: x, user: x}}
- {name: second, context: {cluster: c, user: u}}
clusters:
- name: c
  cluster: {server: "https://api:6443/", certificate-authority-data: Y2E=}
users:
- name: u
  user: {client-certificate: pki/c.pem, client-key-data: a2V5}
)");
  const auto access = FindAccess(options, Env());
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->server, "https://api:6443");
  EXPECT_EQ(access->ca_data, "ca");
  EXPECT_EQ(access->certificate_file, directory_ + "/pki/c.pem");
  EXPECT_EQ(access->key_data, "key");
}

TEST_F(AccessTest, KubeconfigsThatCannotBeUsed) {
  KubernetesOptions options;
  const auto why = [&](const std::string& text) {
    options.kubeconfig = Write("config", text);
    const auto access = FindAccess(options, Env());
    EXPECT_FALSE(access.ok()) << text;
    return std::string(access.status().message());
  };
  EXPECT_THAT(why(""), HasSubstr("remedy"));
  EXPECT_THAT(why("[1, 2"), HasSubstr("remedy"));
  EXPECT_THAT(why("current-context: a\n"), HasSubstr("no context 'a'"));
  const std::string base =
      "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n";
  EXPECT_THAT(why(base + "clusters: [{name: c, cluster: {}}]\n"), HasSubstr("no server"));
  EXPECT_THAT(why(base + "clusters: [{name: c, cluster: {server: 'https://a'}}]\n"
                         "users: [{name: u, user: {exec: {command: aws}}}]\n"),
              HasSubstr("exec"));
  options.kubeconfig = directory_ + "/none";
  EXPECT_THAT(std::string(FindAccess(options, Env()).status().message()), HasSubstr("remedy"));
}

TEST_F(AccessTest, NodeName) {
  KubernetesOptions options;
  EXPECT_TRUE(FindNode(options, Env()).ok());  // of the host
  env_["KUBERNETES_SERVICE_HOST"] = "10.0.0.1";
  EXPECT_THAT(std::string(FindNode(options, Env()).status().message()), HasSubstr("NODE_NAME"));
  env_["K8S_NODE_NAME"] = "b";
  EXPECT_EQ(*FindNode(options, Env()), "b");
  env_["NODE_NAME"] = "a";
  EXPECT_EQ(*FindNode(options, Env()), "a");
  options.node_name = "c";
  EXPECT_EQ(*FindNode(options, Env()), "c");
}

}  // namespace
}  // namespace sonde::kubernetes
