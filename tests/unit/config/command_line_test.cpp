// SPDX-License-Identifier: Apache-2.0
// Commands, selectors and what is refused; the values of options are in precedence_test.cpp and
// exporters_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "config/commands.h"
#include "config/invocation.h"
#include "parse_helper.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::StartsWith;

TEST(CommandLine, Commands) {
  EXPECT_EQ(Parse({"version"})->command, Command::kVersion);
  EXPECT_EQ(Parse({"--version"})->command, Command::kVersion);
  EXPECT_EQ(Parse({"doctor"})->command, Command::kDoctor);
  EXPECT_EQ(Parse({"processes"})->command, Command::kProcesses);
  EXPECT_EQ(Parse({"replay", "f.pcap"})->command, Command::kReplay);
  EXPECT_EQ(Parse({"config", "check"})->command, Command::kConfigCheck);
  EXPECT_EQ(Parse({"config", "print"})->command, Command::kConfigPrint);
  EXPECT_EQ(Parse({"config", "schema"})->command, Command::kConfigSchema);
  EXPECT_EQ(Parse({"run", "--all"})->command, Command::kRun);
}

TEST(CommandLine, WrongCommands) {
  EXPECT_THAT(RefusalOf({}), StartsWith("a command is missing\n\nsonde traces"));
  EXPECT_EQ(RefusalOf({"rnu"}), "unknown command \"rnu\"; did you mean run?");
  EXPECT_EQ(RefusalOf({"frobnicate"}), "unknown command \"frobnicate\"; see sonde help");
  EXPECT_EQ(RefusalOf({"config"}), "config needs one of check, print, schema");
  EXPECT_EQ(RefusalOf({"config", "pint"}),
            "unknown command \"config pint\"; did you mean config print?");
  EXPECT_EQ(RefusalOf({"--port", "80"}), "unknown command \"--port\"; see sonde help");
}

TEST(CommandLine, HelpOfEveryCommand) {
  EXPECT_THAT(Parse({"--help"})->text, HasSubstr("Exit codes:"));
  EXPECT_EQ(Parse({"help"})->command, Command::kHelp);
  EXPECT_THAT(Parse({"help", "config"})->text, HasSubstr("sonde config schema"));
  EXPECT_THAT(Parse({"config", "--help"})->text, HasSubstr("sonde config schema"));
  EXPECT_EQ(RefusalOf({"help", "nothing"}), "unknown command \"nothing\"; see sonde help");
  for (const CommandSpec& command : Commands()) {
    if (command.command == Command::kHelp) continue;
    std::vector<std::string> words;
    const std::string name(command.name);
    const size_t space = name.find(' ');
    words.push_back(name.substr(0, space));
    if (space != std::string::npos) words.push_back(name.substr(space + 1));
    words.emplace_back("-h");
    const auto help = Parse(words);
    ASSERT_TRUE(help.ok()) << name << help.status();
    EXPECT_EQ(help->command, Command::kHelp);
    EXPECT_THAT(help->text, StartsWith("sonde " + name + ": "));
    size_t start = 0;
    while (start < help->text.size()) {
      const size_t end = help->text.find('\n', start);
      EXPECT_LE(end - start, 100U) << help->text.substr(start, end - start);
      start = end + 1;
    }
  }
}

TEST(CommandLine, RunNeedsSomethingToTrace) {
  EXPECT_THAT(RefusalOf({"run"}), AllOf(StartsWith("nothing is selected"), HasSubstr("--all")));
  EXPECT_THAT(RefusalOf({"run", "--exclude", "exe=x"}), StartsWith("nothing is selected"));
  EXPECT_TRUE(Parse({"run"}, {{"SONDE_CONFIG", ""}}).status().code() ==
              absl::StatusCode::kInvalidArgument);
}

TEST(CommandLine, SelectorsBecomeConditions) {
  const auto run = Parse({"run",
                          "--pid",
                          "12",
                          "--pid=13",
                          "--exe",
                          "*/nginx",
                          "--cmdline",
                          "a|b",
                          "--port",
                          "80",
                          "--port",
                          "90-99",
                          "--cgroup",
                          "/x/*",
                          "--env",
                          "K=V",
                          "--systemd-unit",
                          "nginx",
                          "--container",
                          "web-*",
                          "--container-image",
                          "*/shop:*",
                          "--container-label",
                          "team=shop",
                          "--container-label",
                          "x"});
  ASSERT_TRUE(run.ok()) << run.status();
  std::vector<std::pair<SelectorKind, std::string>> seen;
  for (const Selector& selector : run->config.discovery.include) {
    seen.emplace_back(selector.kind, selector.pattern);
  }
  EXPECT_THAT(
      seen,
      ElementsAre(Pair(SelectorKind::kPid, "12"), Pair(SelectorKind::kPid, "13"),
                  Pair(SelectorKind::kExe, "*/nginx"), Pair(SelectorKind::kCmdline, "a|b"),
                  Pair(SelectorKind::kPort, "80"), Pair(SelectorKind::kPort, "90-99"),
                  Pair(SelectorKind::kCgroup, "/x/*"), Pair(SelectorKind::kSystemdUnit, "nginx"),
                  Pair(SelectorKind::kEnv, "K=V"), Pair(SelectorKind::kContainer, "web-*"),
                  Pair(SelectorKind::kContainerImage, "*/shop:*"),
                  Pair(SelectorKind::kContainerLabel, "team=shop"),
                  Pair(SelectorKind::kContainerLabel, "x")));
  // What processes are chosen by is worth seeing in what they give.
  EXPECT_THAT(run->config.resource.container_labels,
              ElementsAre("com.docker.compose.project", "com.docker.compose.service", "team", "x"));
  ASSERT_EQ(run->config.capture.ports.size(), 2U);
  EXPECT_EQ(run->config.capture.ports[1].first, 90);
  EXPECT_EQ(run->config.capture.ports[1].last, 99);
}

TEST(CommandLine, AllIsASelectorWithoutPattern) {
  const auto run = Parse({"run", "--all"});
  ASSERT_EQ(run->config.discovery.include.size(), 1U);
  EXPECT_EQ(run->config.discovery.include[0].kind, SelectorKind::kAll);
}

TEST(CommandLine, SelectorsAreChecked) {
  EXPECT_EQ(RefusalOf({"run", "--pid", "0"}),
            "--pid: expected a process id from 1 to 4194304, got \"0\"\n" + RefusalOf({"run"}));
  EXPECT_THAT(RefusalOf({"run", "--port", "65536"}),
              StartsWith("--port: expected a port or a range N-M from 1 to 65535, got \"65536\""));
  EXPECT_THAT(RefusalOf({"run", "--port", "99-90"}), StartsWith("--port: expected a port"));
  EXPECT_THAT(RefusalOf({"run", "--cmdline", "a("}),
              StartsWith("--cmdline: expected a regular expression"));
  EXPECT_THAT(RefusalOf({"run", "--env", "=V"}), StartsWith("--env: expected K or K=V"));
  EXPECT_THAT(RefusalOf({"run", "--all", "--exclude", "exe"}),
              StartsWith("--exclude: expected KIND=VALUE, got \"exe\""));
  EXPECT_THAT(RefusalOf({"run", "--all", "--exclude", "shape=x"}),
              StartsWith("--exclude: expected KIND=VALUE with KIND one of pid"));
  EXPECT_EQ(RefusalOf({"run", "--all", "--exclude", "pid=x"}),
            "--exclude: expected a process id from 1 to 4194304, got \"x\"");
}

TEST(CommandLine, ExcludesAddUp) {
  const auto run = Parse({"run", "--all", "--exclude", "exe=*/a=b", "--exclude", "port=22"});
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_EQ(run->config.discovery.exclude.size(), 2U);
  EXPECT_EQ(run->config.discovery.exclude[0].pattern, "*/a=b");
  EXPECT_EQ(run->config.discovery.exclude[1].kind, SelectorKind::kPort);
  EXPECT_THAT(run->config.capture.ports, IsEmpty());
}

TEST(CommandLine, PodSelectors) {
  const auto run = Parse({"run", "--k8s-workload", "deployment/shop", "--exclude", "k8s-pod=x*"});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->config.discovery.include[0].kind, SelectorKind::kK8sWorkload);
  EXPECT_EQ(run->config.discovery.exclude[0].kind, SelectorKind::kK8sPod);
  EXPECT_NE(RefusalOf({"run", "--k8s-workload", "shop"}), "");
}

TEST(CommandLine, UnknownFlagsNameTheNearest) {
  EXPECT_EQ(RefusalOf({"run", "--prot", "80"}), "unknown option --prot; did you mean --port?");
  EXPECT_EQ(RefusalOf({"run", "--otlp-endpiont=x"}),
            "unknown option --otlp-endpiont; did you mean --otlp-endpoint?");
  EXPECT_EQ(RefusalOf({"run", "--zzzzzzzz"}), "unknown option --zzzzzzzz; see sonde help run");
  EXPECT_EQ(RefusalOf({"run", "-x"}), "unknown option -x; see sonde help run");
}

TEST(CommandLine, FlagsOfOtherCommandsAreRefused) {
  EXPECT_EQ(RefusalOf({"replay", "f", "--pid", "1"}), "sonde replay does not take --pid");
  EXPECT_EQ(RefusalOf({"replay", "f", "--record", "g"}), "sonde replay does not take --record");
  EXPECT_EQ(RefusalOf({"run", "--all", "--output", "json"}), "sonde run does not take --output");
  EXPECT_EQ(RefusalOf({"version", "--config", "x"}), "sonde version does not take --config");
  EXPECT_EQ(RefusalOf({"doctor", "--all"}), "sonde doctor does not take --all");
}

TEST(CommandLine, ValuesMustBeThereAndOnce) {
  EXPECT_THAT(RefusalOf({"run", "--pid"}), HasSubstr("--pid"));
  EXPECT_EQ(RefusalOf({"run", "--all", "--listen", "off", "--listen", "off"}),
            "--listen: given more than once");
  EXPECT_EQ(RefusalOf({"doctor", "--output", "json", "--output", "json"}),
            "--output: given more than once");
  EXPECT_EQ(RefusalOf({"run", "--config", "a", "--config", "b"}), "--config: given more than once");
}

TEST(CommandLine, CommandToStart) {
  const auto run = Parse({"run", "--port", "80", "--", "./server", "--port", "1", "--", "x"});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_THAT(run->child, ElementsAre("./server", "--port", "1", "--", "x"));
  EXPECT_THAT(run->config.discovery.include, IsEmpty());
  ASSERT_EQ(run->config.capture.ports.size(), 1U);
  EXPECT_EQ(run->config.capture.ports[0].first, 80);
}

TEST(CommandLine, CommandToStartRefusesSelectors) {
  EXPECT_EQ(RefusalOf({"run", "--pid", "3", "--", "ls"}),
            "--pid: COMMAND and its descendants are what is traced; beside it only --port and "
            "--exclude may be given");
  EXPECT_THAT(RefusalOf({"run", "--all", "--", "ls"}), StartsWith("--all: COMMAND and its"));
  EXPECT_TRUE(Parse({"run", "--exclude", "exe=*/sh", "--", "ls"}).ok());
  EXPECT_EQ(RefusalOf({"run", "--"}), "a command is missing after --");
  EXPECT_EQ(RefusalOf({"doctor", "--", "ls"}), "only sonde run takes a command after --");
  EXPECT_EQ(RefusalOf({"run", "./server", "--flag"}).substr(0, 22), "unknown option --flag;");
  EXPECT_EQ(RefusalOf({"run", "./server"}),
            "unexpected \"./server\"; to start a command: sonde run [OPTIONS] -- ./server ...");
}

TEST(CommandLine, CommandToStartIgnoresSelectorsOfTheFile) {
  const TempFile file("sonde: {discovery: {include: {exe: '*/x', port: 80}, exclude: {pid: 7}}}\n");
  const auto run = Parse({"run", "--config", file.path(), "--", "ls"});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_THAT(run->config.discovery.include, IsEmpty());
  EXPECT_THAT(run->config.capture.ports, IsEmpty());
  EXPECT_EQ(run->config.discovery.exclude.size(), 1U);
}

TEST(CommandLine, Replay) {
  EXPECT_EQ(Parse({"replay", "--port", "80", "f.pcap"})->replay_file, "f.pcap");
  EXPECT_EQ(Parse({"replay", "f.pcap", "--port", "80"})->config.capture.ports.size(), 1U);
  EXPECT_EQ(Parse({"replay", "f"})->config.admin.listen, "off");
  EXPECT_EQ(Parse({"replay", "f", "--listen", "127.0.0.1:0"})->config.admin.listen, "127.0.0.1:0");
  EXPECT_EQ(RefusalOf({"replay"}), "replay needs a FILE: a recording, a pcap or a pcapng");
  EXPECT_EQ(RefusalOf({"replay", "a", "b"}), "replay takes one FILE, got also \"b\"");
}

TEST(CommandLine, Output) {
  EXPECT_EQ(Parse({"doctor"})->output, OutputFormat::kText);
  EXPECT_EQ(Parse({"doctor", "--output", "json"})->output, OutputFormat::kJson);
  EXPECT_EQ(Parse({"processes"})->output, OutputFormat::kTable);
  EXPECT_EQ(RefusalOf({"processes", "--output", "text"}),
            "--output: expected table or json, got \"text\"");
  EXPECT_EQ(RefusalOf({"doctor", "--output", "xml"}),
            "--output: expected text or json, got \"xml\"");
}

TEST(CommandLine, OptionsOfRun) {
  const auto run = Parse({"run", "--all", "--record", "f", "--duration", "1.5s", "--probes",
                          "sock,sys", "--no-probes", "kprobe", "--shutdown-timeout", "250ms",
                          "--log-level", "debug", "--log-format", "json"});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->config.record_file, "f");
  EXPECT_EQ(run->config.duration, Milliseconds(1500));
  EXPECT_THAT(run->config.capture.probes, ElementsAre("sock", "sys"));
  EXPECT_THAT(run->config.capture.no_probes, ElementsAre("kprobe"));
  EXPECT_EQ(run->config.shutdown_timeout, Milliseconds(250));
  EXPECT_EQ(run->config.log.level, LogLevel::kDebug);
  EXPECT_TRUE(run->config.log.json);
}

TEST(CommandLine, OptionsAreChecked) {
  EXPECT_THAT(RefusalOf({"run", "--all", "--duration", "10"}),
              StartsWith("--duration: expected a time with a unit"));
  EXPECT_EQ(RefusalOf({"run", "--all", "--log-level", "loud"}),
            "--log-level: expected trace, debug, info, warn, error or off, got \"loud\"");
  EXPECT_EQ(RefusalOf({"run", "--all", "--console-format", "xml"}),
            "--console-format: expected tree, line or json, got \"xml\"");
  EXPECT_EQ(RefusalOf({"run", "--all", "--listen", "9464"}),
            "--listen: expected HOST:PORT (an IPv6 host in brackets) or off, got \"9464\"");
  EXPECT_THAT(RefusalOf({"run", "--all", "--listen", "::1:80"}), StartsWith("--listen: expected"));
  EXPECT_TRUE(Parse({"run", "--all", "--listen", "[::1]:80"}).ok());
  EXPECT_EQ(RefusalOf({"run", "--all", "--resource", "novalue"}), "--resource: expected K=V");
  EXPECT_EQ(RefusalOf({"run", "--all", "--probes", "a", "--no-probes", "a"}),
            "probe family a is both demanded and forbidden");
}

TEST(CommandLine, EveryMistakeIsNamed) {
  EXPECT_EQ(RefusalOf({"run", "--all", "--duration", "x", "--log-level", "y"}),
            "--log-level: expected trace, debug, info, warn, error or off, got \"y\"\n"
            "--duration: expected a time with a unit (500ms, 5s, 2m) from 1ms to 90d, got \"x\"");
}

}  // namespace
}  // namespace sonde::config
