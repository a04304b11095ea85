// SPDX-License-Identifier: Apache-2.0
// What a pod makes of a resource, after OpenTelemetry's conventions for Kubernetes.
#include "resource/pod_attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "resource/owned_resource.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/workload.h"

namespace sonde::resource {
namespace {

PodFacts Shop() {
  PodFacts pod;
  pod.name = "shop-5d7f-x2";
  pod.uid = "pod-uid";
  pod.namespace_name = "market";
  pod.node = "node-1";
  pod.cluster = "prod";
  pod.container_name = "web";
  pod.restart_count = 3;
  pod.image_name = "registry/shop";
  pod.image_tag = "1.2";
  pod.owners = {{"ReplicaSet", "shop-5d7f", "rs-uid"}, {"Deployment", "shop", "d-uid"}};
  return pod;
}

class PodAttributesTest : public testing::Test {
 protected:
  std::string Of(std::string_view key) {
    ResourceBuilder builder;
    for (const auto& [given, value] : given_) builder.AddOwned(given, value);
    AddPod(pod_, wanted_, builder);
    const auto resource = builder.Build();
    const AttributeValue* value = FindAttribute(resource->attributes, key);
    if (value == nullptr) return "(none)";
    if (const auto* number = std::get_if<int64_t>(value)) return std::to_string(*number);
    if (const auto* list = std::get_if<std::vector<std::string>>(value)) {
      return list->size() == 1 ? list->front() : "(list)";
    }
    const auto* text = std::get_if<std::string>(value);
    return text == nullptr ? "(other)" : *text;
  }
  std::string Name() { return PodServiceName(pod_, wanted_); }

  PodFacts pod_ = Shop();
  KubernetesAttributes wanted_;
  std::vector<std::pair<std::string, std::string>> given_;
};

TEST_F(PodAttributesTest, PodAndContainer) {
  const std::pair<const char*, const char*> expected[] = {
      {"k8s.pod.name", "shop-5d7f-x2"},     {"k8s.pod.uid", "pod-uid"},
      {"k8s.namespace.name", "market"},     {"k8s.node.name", "node-1"},
      {"k8s.cluster.name", "prod"},         {"k8s.container.name", "web"},
      {"k8s.container.restart_count", "3"}, {"k8s.deployment.name", "shop"},
      {"k8s.deployment.uid", "d-uid"},      {"k8s.replicaset.name", "shop-5d7f"},
      {"k8s.replicaset.uid", "rs-uid"},     {"container.image.name", "registry/shop"},
      {"container.image.tags", "1.2"},      {"service.namespace", "market"},
      {"service.version", "1.2"},           {"container.image.repo_digests", "(none)"},
      {"k8s.statefulset.name", "(none)"},
  };
  for (const auto& [key, value] : expected) EXPECT_EQ(Of(key), value) << key;
}

TEST_F(PodAttributesTest, OfNoContainerInParticular) {
  pod_.container_name.clear();
  EXPECT_EQ(Of("k8s.container.name"), "(none)");
  EXPECT_EQ(Of("k8s.container.restart_count"), "(none)");
  EXPECT_EQ(PodInstanceId(pod_), "");
}

// Each kind of owner has its own two attributes, and gives the service its name.
TEST_F(PodAttributesTest, EveryKindOfOwner) {
  const std::tuple<const char*, const char*, const char*> kinds[] = {
      {"Deployment", "k8s.deployment.name", "k8s.deployment.uid"},
      {"ReplicaSet", "k8s.replicaset.name", "k8s.replicaset.uid"},
      {"StatefulSet", "k8s.statefulset.name", "k8s.statefulset.uid"},
      {"DaemonSet", "k8s.daemonset.name", "k8s.daemonset.uid"},
      {"CronJob", "k8s.cronjob.name", "k8s.cronjob.uid"},
      {"Job", "k8s.job.name", "k8s.job.uid"},
      {"ReplicationController", "k8s.replicationcontroller.name", "k8s.replicationcontroller.uid"},
  };
  for (const auto& [kind, name, uid] : kinds) {
    pod_.owners = {{kind, "the-name", "the-uid"}};
    EXPECT_EQ(Of(name), "the-name") << kind;
    EXPECT_EQ(Of(uid), "the-uid") << kind;
    EXPECT_EQ(Name(), "the-name") << kind;
  }
  pod_.owners = {{"Rollout", "the-name", "the-uid"}};
  EXPECT_EQ(Name(), "shop-5d7f-x2") << "a kind that nobody knows names nothing";
}

TEST_F(PodAttributesTest, ServiceNameByTheConventionsOrder) {
  pod_.labels = {{"app.kubernetes.io/instance", "shop-eu"}, {"app.kubernetes.io/name", "shop-app"}};
  EXPECT_EQ(Name(), "shop") << "labels count only if the operator says so";
  wanted_.service_from_labels = true;
  EXPECT_EQ(Name(), "shop-eu");
  pod_.labels = {{"app.kubernetes.io/name", "shop-app"}};
  EXPECT_EQ(Name(), "shop-app");
  pod_.annotations = {{"resource.opentelemetry.io/service.name", "annotated"}};
  EXPECT_EQ(Name(), "annotated");
  pod_ = Shop();
  pod_.owners = {{"Job", "nightly-7", ""}, {"CronJob", "nightly", ""}};
  EXPECT_EQ(Name(), "nightly");
  pod_.owners.clear();
  EXPECT_EQ(Name(), "shop-5d7f-x2");
  pod_.name.clear();
  EXPECT_EQ(Name(), "web");
}

TEST_F(PodAttributesTest, VersionByTheConventionsOrder) {
  pod_.image_digest = "sha256:ab";
  EXPECT_EQ(Of("service.version"), "1.2@sha256:ab");
  EXPECT_EQ(Of("container.image.repo_digests"), "registry/shop@sha256:ab");
  pod_.image_tag.clear();
  EXPECT_EQ(Of("service.version"), "sha256:ab");
  EXPECT_EQ(Of("container.image.tags"), "(none)");
  pod_.labels = {{"app.kubernetes.io/version", "7"}};
  EXPECT_EQ(Of("service.version"), "sha256:ab");
  wanted_.service_from_labels = true;
  EXPECT_EQ(Of("service.version"), "7");
  pod_.annotations = {{"resource.opentelemetry.io/service.version", "8"}};
  EXPECT_EQ(Of("service.version"), "8");
}

TEST_F(PodAttributesTest, AnnotationsGiveAttributesButNotWhatSondeAloneKnows) {
  pod_.annotations = {{"resource.opentelemetry.io/deployment.environment.name", "prod"},
                      {"resource.opentelemetry.io/service.namespace", "other"},
                      {"resource.opentelemetry.io/process.pid", "1"},
                      {"resource.opentelemetry.io/telemetry.sdk.name", "liar"},
                      {"resource.opentelemetry.io/", "nameless"},
                      {"resource.opentelemetry.io/empty", ""},
                      {"unrelated", "x"}};
  EXPECT_EQ(Of("deployment.environment.name"), "prod");
  EXPECT_EQ(Of("service.namespace"), "other");
  for (const char* key : {"process.pid", "telemetry.sdk.name", "", "empty", "unrelated"}) {
    EXPECT_EQ(Of(key), "(none)") << key;
  }
}

TEST_F(PodAttributesTest, LabelsAndAnnotationsByName) {
  pod_.labels = {{"team", "blue"}, {"secret", "x"}};
  pod_.annotations = {{"owner", "ann"}};
  pod_.namespace_labels = {{"tier", "front"}};
  pod_.namespace_annotations = {{"cost", "7"}};
  for (const char* key : {"k8s.pod.label.team", "k8s.pod.annotation.owner",
                          "k8s.namespace.label.tier", "k8s.namespace.annotation.cost"}) {
    EXPECT_EQ(Of(key), "(none)") << key;
  }
  wanted_.pod_labels = {"te*"};
  wanted_.pod_annotations = {"owner"};
  wanted_.namespace_labels = {"*"};
  wanted_.namespace_annotations = {"cost"};
  EXPECT_EQ(Of("k8s.pod.label.team"), "blue");
  EXPECT_EQ(Of("k8s.pod.label.secret"), "(none)");
  EXPECT_EQ(Of("k8s.pod.annotation.owner"), "ann");
  EXPECT_EQ(Of("k8s.namespace.label.tier"), "front");
  EXPECT_EQ(Of("k8s.namespace.annotation.cost"), "7");
}

TEST_F(PodAttributesTest, WhatIsSetAlreadyStays) {
  given_ = {{"service.version", "own"}, {"k8s.node.name", "said"}};
  EXPECT_EQ(Of("service.version"), "own");
  EXPECT_EQ(Of("k8s.node.name"), "said");
}

TEST_F(PodAttributesTest, InstanceId) {
  EXPECT_EQ(PodInstanceId(pod_), "market.shop-5d7f-x2.web");
  pod_.annotations = {{"resource.opentelemetry.io/service.instance.id", "said"}};
  EXPECT_EQ(PodInstanceId(pod_), "said");
}

}  // namespace
}  // namespace sonde::resource
