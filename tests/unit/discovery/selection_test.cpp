// SPDX-License-Identifier: Apache-2.0
#include "discovery/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"

namespace sonde::discovery {
namespace {

using testing::HasSubstr;

Selection Make(std::vector<Selector> include, std::vector<Selector> exclude = {}) {
  auto selection =
      Selection::Create({.include = std::move(include), .exclude = std::move(exclude)});
  EXPECT_TRUE(selection.ok()) << selection.status();
  return std::move(*selection);
}

ProcessFacts Nginx() {
  ProcessFacts facts;
  facts.pid = 100;
  facts.exe = "/usr/sbin/nginx";
  facts.args = {"nginx:", "worker process", "-g", "daemon off;"};
  facts.env = {{"TIER", "front"}, {"EMPTY", ""}};
  facts.cgroups = {"/system.slice/nginx.service", "/pods/7"};
  facts.listen_ports = {80, 8443};
  return facts;
}

struct Case {
  SelectorKind kind;
  const char* pattern;
  bool matches;
};

class EachKindTest : public testing::TestWithParam<Case> {};

TEST_P(EachKindTest, Matches) {
  const auto selection = Make({{GetParam().kind, GetParam().pattern}});
  EXPECT_EQ(selection.Decide(Nginx()).selected, GetParam().matches) << GetParam().pattern;
  const auto except = Make({{SelectorKind::kAll, ""}}, {{GetParam().kind, GetParam().pattern}});
  EXPECT_EQ(except.Decide(Nginx()).excluded, GetParam().matches) << GetParam().pattern;
}

INSTANTIATE_TEST_SUITE_P(
    Table, EachKindTest,
    testing::Values(
        Case{SelectorKind::kPid, "100", true}, Case{SelectorKind::kPid, "10", false},
        Case{SelectorKind::kExe, "*/nginx", true}, Case{SelectorKind::kExe, "nginx", true},
        Case{SelectorKind::kExe, "ngin?", true}, Case{SelectorKind::kExe, "/usr/*", true},
        Case{SelectorKind::kExe, "*ginx", true}, Case{SelectorKind::kExe, "usr/sbin/nginx", false},
        Case{SelectorKind::kExe, "apache*", false}, Case{SelectorKind::kCmdline, "worker", true},
        Case{SelectorKind::kCmdline, "nginx: worker process -g daemon off;", true},
        Case{SelectorKind::kCmdline, "^worker", false},
        Case{SelectorKind::kCmdline, "\\bd\\w+n\\b", true}, Case{SelectorKind::kPort, "80", true},
        Case{SelectorKind::kPort, "8000-9000", true}, Case{SelectorKind::kPort, "81-8442", false},
        Case{SelectorKind::kPort, "8080", false},
        Case{SelectorKind::kCgroup, "*/nginx.service", true},
        Case{SelectorKind::kCgroup, "/pods/*", true}, Case{SelectorKind::kCgroup, "/pods", false},
        Case{SelectorKind::kEnv, "TIER", true}, Case{SelectorKind::kEnv, "TIER=front", true},
        Case{SelectorKind::kEnv, "TIER=fron", false}, Case{SelectorKind::kEnv, "EMPTY", true},
        Case{SelectorKind::kEnv, "EMPTY=", true}, Case{SelectorKind::kEnv, "TIER=", false},
        Case{SelectorKind::kEnv, "NONE", false}, Case{SelectorKind::kAll, "", true}));

TEST(SelectionTest, OfOneKindAlternativesOfDifferentKindsAll) {
  const auto selection = Make({{SelectorKind::kExe, "*/apache2"},
                               {SelectorKind::kExe, "*/nginx"},
                               {SelectorKind::kPort, "80"}});
  EXPECT_EQ(selection.Decide(Nginx()).rule, "--exe */nginx --port 80");
  ProcessFacts other = Nginx();
  other.listen_ports.clear();
  EXPECT_FALSE(selection.Decide(other).selected);
  EXPECT_EQ(selection.Decide(other).rule, "no rule matches");
  EXPECT_TRUE(selection.PossibleWithoutPorts(other));
  other.exe = "/bin/sh";
  EXPECT_FALSE(selection.PossibleWithoutPorts(other));
}

TEST(SelectionTest, AnyExclusionRefuses) {
  const auto selection = Make({{SelectorKind::kAll, ""}},
                              {{SelectorKind::kExe, "*/sshd"}, {SelectorKind::kEnv, "TIER=front"}});
  const Verdict verdict = selection.Decide(Nginx());
  EXPECT_FALSE(verdict.selected);
  EXPECT_TRUE(verdict.excluded);
  EXPECT_EQ(verdict.rule, "excluded by --exclude env=TIER=front");
  EXPECT_FALSE(selection.PossibleWithoutPorts(Nginx()));
}

TEST(SelectionTest, NothingGivenSelectsNothing) {
  const auto selection = Make({});
  EXPECT_TRUE(selection.empty());
  EXPECT_FALSE(selection.Decide(Nginx()).selected);
  EXPECT_FALSE(selection.PossibleWithoutPorts(Nginx()));
}

TEST(SelectionTest, InitHoldsSocketsForOthers) {
  ProcessFacts init = Nginx();
  init.pid = 1;
  EXPECT_FALSE(Make({{SelectorKind::kPort, "80"}}).Decide(init).selected);
  EXPECT_TRUE(Make({{SelectorKind::kPid, "1"}}).Decide(init).selected);
}

TEST(SelectionTest, ReadsOnlyWhatRulesLookAt) {
  const auto selection =
      Make({{SelectorKind::kExe, "a"}, {SelectorKind::kPid, "9"}}, {{SelectorKind::kEnv, "X=1"}});
  EXPECT_EQ(selection.fields(), static_cast<uint32_t>(kFieldExe | kFieldEnv | kFieldWorkload));
  EXPECT_THAT(selection.wanted_env(), testing::ElementsAre("X"));
  EXPECT_THAT(selection.pids(), testing::ElementsAre(9));
  EXPECT_TRUE(selection.Uses(SelectorKind::kPid));
  EXPECT_FALSE(selection.Uses(SelectorKind::kEnv));
}

TEST(SelectionTest, BadPatternsAreRefusedWithTheOptionAndWhatWasExpected) {
  const Selector bad[] = {
      {SelectorKind::kPid, ""},
      {SelectorKind::kPid, "0"},
      {SelectorKind::kPid, "12a"},
      {SelectorKind::kPid, "-1"},
      {SelectorKind::kExe, ""},
      {SelectorKind::kCmdline, "("},
      {SelectorKind::kCmdline,
       "a{2"
       "000}"},
      {SelectorKind::kPort, "0"},
      {SelectorKind::kPort, "65536"},
      {SelectorKind::kPort, "90-80"},
      {SelectorKind::kPort, "80-"},
      {SelectorKind::kPort, "-"},
      {SelectorKind::kCgroup, ""},
      {SelectorKind::kEnv, ""},
      {SelectorKind::kEnv, "=x"},
      {SelectorKind::kAll, "x"},
  };
  for (const Selector& selector : bad) {
    for (const DiscoveryOptions& options :
         {DiscoveryOptions{.include = {selector}, .exclude = {}},
          DiscoveryOptions{.include = {}, .exclude = {selector}}}) {
      const auto selection = Selection::Create(options);
      ASSERT_FALSE(selection.ok()) << selector.pattern;
      EXPECT_EQ(selection.status().code(), absl::StatusCode::kInvalidArgument);
      const std::string message(selection.status().message());
      EXPECT_THAT(message, HasSubstr("--" + std::string(KindName(selector.kind))));
      EXPECT_THAT(message, HasSubstr("'" + selector.pattern + "': expected "));
    }
  }
}

// std::regex overflows the stack on such a text; a pattern with nested repeats takes others
// exponential time.
TEST(SelectionTest, LongHostileCommandLinesAreMatchedInLinearTime) {
  ProcessFacts facts = Nginx();
  facts.args = {std::string(64U << 10, 'a')};
  EXPECT_FALSE(Make({{SelectorKind::kCmdline, "(a*)*(a|aa)+$b"}}).Decide(facts).selected);
  EXPECT_TRUE(Make({{SelectorKind::kCmdline, "^(a|b)*$"}}).Decide(facts).selected);
  facts.args = {"\xff\xfe", "x"};
  EXPECT_TRUE(Make({{SelectorKind::kCmdline, "^.. x$"}}).Decide(facts).selected);
}

DiscoveryRule Rule(std::vector<Selector> selectors, std::string service_name) {
  return {.selectors = std::move(selectors),
          .settings = std::make_shared<const RuleSettings>(
              RuleSettings{.service_name = std::move(service_name)})};
}

TEST(SelectionTest, TheFirstRuleThatMatchesCounts) {
  const auto made = Selection::Create(
      {.include = {},
       .exclude = {},
       .rules = {Rule({{SelectorKind::kExe, "*/nginx"}, {SelectorKind::kPort, "9999"}}, "no"),
                 Rule({{SelectorKind::kExe, "*/apache2"}, {SelectorKind::kExe, "*/nginx"}}, "web"),
                 Rule({{SelectorKind::kAll, ""}}, "rest")}});
  ASSERT_TRUE(made.ok()) << made.status();
  Verdict verdict = made->Decide(Nginx());
  EXPECT_TRUE(verdict.selected);
  EXPECT_EQ(verdict.rule, "include[1]: exe */nginx");
  ASSERT_NE(verdict.settings, nullptr);
  EXPECT_EQ(verdict.settings->service_name, "web");
  ProcessFacts other = Nginx();
  other.exe = "/bin/other";
  EXPECT_EQ(made->Decide(other).rule, "include[2]: all");
  EXPECT_EQ(made->Decide(other).settings->service_name, "rest");
  EXPECT_TRUE(made->selects_new());
  EXPECT_TRUE(made->has_settings());
}

TEST(SelectionTest, AnExcludingRuleNeedsAllItsKinds) {
  const auto made = Selection::Create(
      {.include = {{SelectorKind::kAll, ""}},
       .exclude = {},
       .rules = {},
       .exclude_rules = {{{SelectorKind::kExe, "*/nginx"}, {SelectorKind::kEnv, "TIER=back"}},
                         {{SelectorKind::kExe, "*/nginx"},
                          {SelectorKind::kEnv, "TIER=back"},
                          {SelectorKind::kEnv, "TIER=front"}}}});
  ASSERT_TRUE(made.ok()) << made.status();
  const Verdict verdict = made->Decide(Nginx());
  EXPECT_TRUE(verdict.excluded);
  EXPECT_EQ(verdict.rule, "excluded by exclude[1]");
  ProcessFacts other = Nginx();
  other.env = {};
  EXPECT_TRUE(made->Decide(other).selected);
}

// What may still be excluded waits for its container; what another kind clears does not.
TEST(SelectionTest, OnlyWhatMayStillBeExcludedWaits) {
  const auto made = Selection::Create({.include = {{SelectorKind::kAll, ""}},
                                       .exclude = {},
                                       .rules = {},
                                       .exclude_rules = {{{SelectorKind::kContainerLabel, "quiet"},
                                                          {SelectorKind::kExe, "*/nginx"}}}});
  ASSERT_TRUE(made.ok()) << made.status();
  ProcessFacts facts = Nginx();
  facts.around.membership.container_id = std::string(64, 'a');
  facts.around.pending = true;
  EXPECT_TRUE(made->Decide(facts).waits);
  facts.exe = "/bin/other";
  EXPECT_TRUE(made->Decide(facts).selected);
}

TEST(SelectionTest, PidsInOneRuleDoNotBindTheOthers) {
  const auto made = Selection::Create({.include = {},
                                       .exclude = {},
                                       .rules = {Rule({{SelectorKind::kPid, "100"}}, "a"),
                                                 Rule({{SelectorKind::kExe, "x"}}, "b")}});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(made->Decide(Nginx()).by_pid);
  EXPECT_TRUE(made->selects_new());
  const auto only = Selection::Create({.include = {{SelectorKind::kPid, "100"}}, .exclude = {}});
  EXPECT_FALSE(only->selects_new());
}

}  // namespace
}  // namespace sonde::discovery
