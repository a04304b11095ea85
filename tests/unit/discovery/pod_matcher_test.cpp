// SPDX-License-Identifier: Apache-2.0
// Selection by pod: namespace, name, label, owner; and the pods' own wish.
#include "discovery/pod_matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "discovery/selection.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/workload.h"

namespace sonde::discovery {
namespace {

PodFacts Shop() {
  PodFacts pod;
  pod.name = "shop-5d7f-x2";
  pod.namespace_name = "market";
  pod.owners = {{"ReplicaSet", "shop-5d7f", ""}, {"Deployment", "shop", ""}};
  pod.labels = {{"empty", ""}, {"team", "blue"}};
  return pod;
}

ProcessFacts In(PodFacts pod, bool pending = false) {
  ProcessFacts facts;
  facts.around.membership.pod_uid = "uid";
  facts.around.pod = std::make_shared<const PodFacts>(std::move(pod));
  facts.around.pending = pending;
  return facts;
}

struct Case {
  SelectorKind kind;
  const char* pattern;
  bool matches;
};

class PodMatcherTest : public testing::TestWithParam<Case> {};

TEST_P(PodMatcherTest, Matches) {
  const auto matcher = MakeMatcher({GetParam().kind, GetParam().pattern});
  ASSERT_TRUE(matcher.ok()) << matcher.status();
  EXPECT_EQ((*matcher)->Matches(In(Shop())), GetParam().matches) << GetParam().pattern;
  EXPECT_FALSE((*matcher)->Matches(ProcessFacts())) << "in no pod";
  EXPECT_EQ((*matcher)->fields(), static_cast<uint32_t>(kFieldWorkload));
}

INSTANTIATE_TEST_SUITE_P(
    Table, PodMatcherTest,
    testing::Values(Case{SelectorKind::kK8sNamespace, "market", true},
                    Case{SelectorKind::kK8sNamespace, "mark*", true},
                    Case{SelectorKind::kK8sNamespace, "mark", false},
                    Case{SelectorKind::kK8sPod, "shop-*", true},
                    Case{SelectorKind::kK8sPod, "shop", false},
                    Case{SelectorKind::kK8sPodLabel, "team", true},
                    Case{SelectorKind::kK8sPodLabel, "team=blue", true},
                    Case{SelectorKind::kK8sPodLabel, "team=blu", false},
                    Case{SelectorKind::kK8sPodLabel, "team=", false},
                    Case{SelectorKind::kK8sPodLabel, "empty=", true},
                    Case{SelectorKind::kK8sPodLabel, "tea", false},
                    Case{SelectorKind::kK8sWorkload, "deployment/shop", true},
                    Case{SelectorKind::kK8sWorkload, "Deployment/sh*", true},
                    Case{SelectorKind::kK8sWorkload, "replicaset/shop-5d7f", true},
                    Case{SelectorKind::kK8sWorkload, "statefulset/shop", false},
                    Case{SelectorKind::kK8sWorkload, "deployment/shop-5d7f", false},
                    Case{SelectorKind::kK8sWorkload, "pod/shop-5d7f-x2", true}));

TEST(PodMatcherTest, RefusesWhatCannotBeMeant) {
  const std::pair<SelectorKind, const char*> wrong[] = {
      {SelectorKind::kK8sNamespace, ""},      {SelectorKind::kK8sPod, ""},
      {SelectorKind::kK8sPodLabel, ""},       {SelectorKind::kK8sPodLabel, "=x"},
      {SelectorKind::kK8sWorkload, "shop"},   {SelectorKind::kK8sWorkload, "/shop"},
      {SelectorKind::kK8sWorkload, "deploy/"}};
  for (const auto& [kind, pattern] : wrong) {
    EXPECT_FALSE(MakeMatcher({kind, pattern}).ok()) << pattern;
  }
}

// The name of a pod is known with the pod; who owns it may be asked for longer.
TEST(PodMatcherTest, UndecidedWhileSomethingMayStillCome) {
  ProcessFacts unknown;
  unknown.around.membership.pod_uid = "uid";
  unknown.around.pending = true;
  const auto name = MakeMatcher({SelectorKind::kK8sPod, "x"});
  const auto owner = MakeMatcher({SelectorKind::kK8sWorkload, "deployment/x"});
  EXPECT_TRUE((*name)->Undecided(unknown));
  EXPECT_TRUE((*owner)->Undecided(unknown));
  EXPECT_FALSE((*name)->Undecided(In(Shop(), true)));
  EXPECT_TRUE((*owner)->Undecided(In(Shop(), true)));
  EXPECT_FALSE((*owner)->Undecided(In(Shop(), false)));
  unknown.around.membership.pod_uid.clear();
  EXPECT_FALSE((*name)->Undecided(unknown)) << "in a container of no pod";
}

TEST(PodOptTest, ThePodSpeaksBeforeItsNamespace) {
  const auto selection =
      Selection::Create({.include = {}, .exclude = {}, .opt_annotation = "trace.me"});
  ASSERT_TRUE(selection.ok());
  const auto of = [&](const PodFacts& pod) { return selection->Decide(In(pod)); };
  EXPECT_FALSE(of(Shop()).selected);
  PodFacts pod = Shop();
  pod.namespace_labels = {{"trace.me", "true"}};
  EXPECT_TRUE(of(pod).selected);
  EXPECT_EQ(of(pod).rule, "annotation trace.me=true");
  pod.annotations = {{"trace.me", "false"}};
  EXPECT_TRUE(of(pod).excluded);
  pod.annotations = {{"trace.me", "perhaps"}};
  EXPECT_TRUE(of(pod).selected) << "says nothing";
}

}  // namespace
}  // namespace sonde::discovery
