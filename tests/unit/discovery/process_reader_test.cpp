// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sonde/pipeline/process.h"
#include "sonde/pipeline/workload.h"
#include "unit/discovery/fake_proc.h"

namespace sonde {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr uint32_t kEverything =
    kFieldExe | kFieldArgs | kFieldEnv | kFieldCgroups | kFieldOwner | kFieldCwd | kFieldPorts;

TEST(ProcessReaderTest, ReadsEveryPart) {
  FakeProc proc;
  proc.Add({.pid = 42,
            .parent = 7,
            .exe = "/usr/bin/python3.11 (deleted)",
            .args = {"python3", "", "app.py"},
            .env = {"A=1", "SHOP=x=y", "SHOP=second", "B"},
            .cgroup = "4:memory:/pods/1\n3:cpu:/pods/1\n1:name=systemd:/\n0::/system.slice/a\n",
            .start_ticks = 200948,
            .socket_inodes = {501, 502},
            .tcp = FakeProc::TcpLine("1F90", "0A", 501) + FakeProc::TcpLine("0050", "0A", 999),
            .tcp6 = FakeProc::TcpLine("0016", "0A", 502) + FakeProc::TcpLine("1F90", "0A", 502),
            .cwd = "/srv/shop",
            .uid = 33,
            .comm = "py (x) 7 8"});
  const std::vector<std::string> wanted = {"SHOP", "B", "MISSING"};
  const auto facts = proc.reader().Read(42, kEverything, wanted);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->parent, 7U);
  EXPECT_EQ(facts->start_ticks, 200948U);
  EXPECT_EQ(facts->comm, "py (x) 7 8");
  EXPECT_EQ(facts->exe, "/usr/bin/python3.11");
  EXPECT_EQ(facts->exe_name(), "python3.11");
  EXPECT_THAT(facts->args, ElementsAre("python3", "", "app.py"));
  ASSERT_EQ(facts->env.size(), 1U);
  EXPECT_EQ(*facts->Env("SHOP"), "x=y");
  EXPECT_THAT(facts->cgroups, ElementsAre("/system.slice/a", "/pods/1"));
  EXPECT_THAT(facts->listen_ports, ElementsAre(22, 8080));
  EXPECT_TRUE(facts->has_tcp);
  EXPECT_EQ(facts->uid, 33U);
  EXPECT_TRUE(facts->has_uid);
  EXPECT_EQ(facts->cwd, "/srv/shop");
  EXPECT_FALSE(facts->kernel_thread);
  EXPECT_FALSE(facts->truncated);
}

TEST(ProcessReaderTest, KernelThreadAndRootCgroup) {
  FakeProc proc;
  proc.Add({.pid = 9,
            .parent = 2,
            .exe = "",
            .cgroup = "0::/\n",
            .flags = 0x00208040,
            .comm = "kworker/0:1"});
  const auto facts = proc.reader().Read(9, kEverything);
  ASSERT_TRUE(facts.has_value());
  EXPECT_TRUE(facts->kernel_thread);
  EXPECT_THAT(facts->cgroups, ElementsAre("/"));
  EXPECT_EQ(facts->exe_name(), "kworker/0:1");
}

TEST(ProcessReaderTest, AProcessThatIsGoneOrBrokenGivesNothing) {
  FakeProc proc;
  EXPECT_FALSE(proc.reader().Read(1, kEverything).has_value());
  for (const char* stat : {"", "17", "17 (a", "17 a) S 1", "17 (a) S", "17 (a) S x 1 1 0 -1 0",
                           "17 (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0", ")("}) {
    proc.Write("17/stat", stat);
    EXPECT_FALSE(proc.reader().Read(17, 0).has_value()) << stat;
  }
}

TEST(ProcessReaderTest, StatAloneIsEnough) {
  FakeProc proc;
  proc.Write("17/stat", "17 (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 55 1 1\n");
  const auto facts = proc.reader().Read(17, kEverything, std::vector<std::string>{"A"});
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->start_ticks, 55U);
  EXPECT_THAT(facts->args, IsEmpty());
  EXPECT_FALSE(facts->has_uid);
  EXPECT_FALSE(facts->has_socket);
}

TEST(ProcessReaderTest, HostileEnvironmentIsBounded) {
  FakeProc proc;
  std::vector<std::string> env = {"no equals", "", "=", "=x", "\xff\xfe=\x80", "WANTED=\xff\x01"};
  env.push_back("BIG=" + std::string(10U << 20, 'x'));
  env.emplace_back("LATE=1");
  proc.Add({.pid = 5, .exe = "/bin/a", .args = {std::string(1U << 20, 'a')}, .env = env});
  const std::vector<std::string> wanted = {"WANTED", "LATE", "BIG"};
  const auto facts = proc.reader().Read(5, kFieldEnv | kFieldArgs, wanted);
  ASSERT_TRUE(facts.has_value());
  EXPECT_TRUE(facts->truncated);
  EXPECT_EQ(*facts->Env("WANTED"), "\xff\x01");
  EXPECT_LE(facts->Env("BIG")->size(), 16U << 10);
  EXPECT_EQ(facts->Env("LATE"), nullptr);
  ASSERT_EQ(facts->args.size(), 1U);
  EXPECT_EQ(facts->args[0].size(), 64U << 10);
}

class OneContainer final : public WorkloadSource {
 public:
  std::shared_ptr<const ContainerFacts> Container(const Membership& /*of*/) override {
    ContainerFacts facts;
    facts.env = {{"SHOP", "a=b"}, {"SECRET", "x"}};
    return std::make_shared<const ContainerFacts>(std::move(facts));
  }
  std::shared_ptr<const PodFacts> Pod(const Membership& /*of*/) override {
    PodFacts facts;
    facts.env = {{"SHOP", "unresolved"}, {"TEAM", "t"}};
    return std::make_shared<const PodFacts>(std::move(facts));
  }
  bool Pending(const Membership& /*of*/) const override { return false; }
  std::vector<std::string> TakeChanged() override { return {}; }
};

// As nginx leaves it: its title runs on into the environment, the rest is zeros.
TEST(ProcessReaderTest, OfAnEnvironmentThatIsWrittenOverTheContainersIsTaken) {
  const FakeProc proc;
  OneContainer workloads;
  const std::vector<std::string> wanted = {"SHOP", "TEAM"};
  proc.Add({.pid = 5, .exe = "/bin/a", .env = {"ocess /usr/sbin/nginx", "", "", ""}});
  const auto facts = proc.reader(&workloads).Read(5, kFieldEnv | kFieldWorkload, wanted);
  ASSERT_TRUE(facts.has_value());
  EXPECT_TRUE(facts->env_overwritten);
  EXPECT_THAT(facts->env, ElementsAre(Pair("SHOP", "a=b"), Pair("TEAM", "t")));
  for (const std::vector<std::string>& intact : {std::vector<std::string>{"TEAM=own"}, {}}) {
    proc.Add({.pid = 5, .exe = "/bin/a", .env = intact});
    const auto own = proc.reader(&workloads).Read(5, kFieldEnv | kFieldWorkload, wanted);
    EXPECT_FALSE(own->env_overwritten);
    EXPECT_EQ(own->Env("SHOP"), nullptr);
  }
}

TEST(ProcessReaderTest, TheTableIsLeftAfterTheListeningOnes) {
  FakeProc proc;
  std::string table = FakeProc::TcpLine("0050", "0A", 10);
  for (int i = 0; i < 5000; ++i) table += FakeProc::TcpLine("0051", "01", 77);
  table += FakeProc::TcpLine("0052", "01", 11);
  proc.Add({.pid = 5, .exe = "/bin/a", .socket_inodes = {11}, .tcp = table});
  const auto facts = proc.reader().Read(5, kFieldPorts);
  ASSERT_TRUE(facts.has_value());
  EXPECT_THAT(facts->listen_ports, IsEmpty());
  EXPECT_FALSE(facts->has_tcp);  // beyond the bound
  EXPECT_TRUE(facts->has_socket);
  proc.Add({.pid = 5,
            .exe = "/bin/a",
            .socket_inodes = {12},
            .tcp = "garbage\n\n: : : : : : : : : :\n" + FakeProc::TcpLine("ZZZZ", "0A", 12) +
                   FakeProc::TcpLine("0052", "01", 12)});
  EXPECT_TRUE(proc.reader().Read(5, kFieldPorts)->has_tcp);
}

TEST(ProcessReaderTest, ListsPidsAscending) {
  FakeProc proc;
  for (const uint32_t pid : {30U, 4U, 200U}) proc.Add({.pid = pid, .exe = "/bin/a"});
  proc.Write("net/x", "");
  proc.Write("12ab/stat", "");
  EXPECT_THAT(proc.reader().Pids(), ElementsAre(4, 30, 200));
}

TEST(ProcessReaderTest, NoneSeesNothing) {
  EXPECT_FALSE(ProcessReader::None().sees_anything());
  EXPECT_THAT(ProcessReader::None().Pids(), IsEmpty());
  EXPECT_FALSE(ProcessReader::None().Read(static_cast<uint32_t>(getpid()), 0).has_value());
}

TEST(ProcessReaderTest, ReadsItselfFromTheRealProc) {
  const auto self = static_cast<uint32_t>(getpid());
  const auto facts = ProcessReader().Read(self, kEverything);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->parent, static_cast<uint32_t>(getppid()));
  EXPECT_EQ(facts->uid, geteuid());
  EXPECT_GT(facts->start_ticks, 0U);
  EXPECT_FALSE(facts->cgroups.empty());
  EXPECT_EQ(ProcessReader().Runtime(*facts).language, Language::kCpp);  // needs libstdc++
}

TEST(RuntimeTest, KnownByName) {
  const struct {
    const char* exe;
    Language language;
    const char* name;
  } cases[] = {
      {"/usr/bin/python3.11", Language::kPython, "cpython"},
      {"/usr/bin/pypy3", Language::kPython, "pypy"},
      {"/usr/bin/node", Language::kNodejs, "nodejs"},
      {"/usr/lib/jvm/java-17/bin/java", Language::kJava, ""},
      {"/usr/bin/ruby3.1", Language::kRuby, "ruby"},
      {"/usr/sbin/php-fpm8.2", Language::kPhp, ""},
      {"/usr/bin/php8.2", Language::kPhp, ""},
      {"/usr/bin/dotnet", Language::kDotnet, ".NET"},
      {"/usr/lib/erlang/erts-13/bin/beam.smp", Language::kErlang, "BEAM"},
      {"/usr/bin/pythonic", Language::kGeneric, ""},
      {"/usr/bin/node_exporter", Language::kGeneric, ""},
      {"", Language::kGeneric, ""},
  };
  for (const auto& item : cases) {
    ProcessFacts facts;
    facts.pid = 4'000'000;  // no such process
    facts.exe = item.exe;
    const RuntimeFacts runtime = ProcessReader().Runtime(facts);
    EXPECT_EQ(runtime.language, item.language) << item.exe;
    EXPECT_EQ(runtime.name, item.name) << item.exe;
  }
}

}  // namespace
}  // namespace sonde
