// SPDX-License-Identifier: Apache-2.0
#include "discovery/processes_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "discovery/selection.h"
#include "support/fake_workloads.h"
#include "unit/discovery/fake_proc.h"

namespace sonde::discovery {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<Candidate> Listed() {
  const FakeProc proc;
  const std::string line = FakeProc::TcpLine("1F90", "0A", 5);
  proc.Add({.pid = 10,
            .exe = "/usr/sbin/nginx",
            .cgroup = "0::/system.slice/nginx.service\n",
            .socket_inodes = {5},
            .tcp = line});
  proc.Add({.pid = 11, .parent = 10, .exe = "/usr/sbin/nginx"});
  proc.Add({.pid = 20, .exe = "/usr/bin/python3", .socket_inodes = {6}});
  proc.Add({.pid = 21, .exe = "/usr/bin/python3"});
  proc.Add({.pid = 30, .exe = "/bin/cat", .socket_inodes = {7}});
  auto selection = Selection::Create({.include = {{SelectorKind::kExe, "*/nginx"}}, .exclude = {}});
  return ListCandidates(
      proc.reader(), *selection, [](uint32_t pid) { return "service-" + std::to_string(pid); },
      [](uint32_t pid) {
        return pid == 20 ? Libraries{{"openssl", "x"}, "cpython 3.11.2"} : Libraries{};
      });
}

TEST(ProcessesReportTest, ListsWhatCouldHaveRequests) {
  const auto candidates = Listed();
  ASSERT_EQ(candidates.size(), 3U);
  EXPECT_EQ(candidates[0].pid, 10U);
  EXPECT_TRUE(candidates[0].selected);
  EXPECT_THAT(candidates[0].ports, testing::ElementsAre(8080));
  EXPECT_EQ(candidates[1].pid, 11U);
  EXPECT_EQ(candidates[2].pid, 20U);
  EXPECT_EQ(candidates[2].language, "python");
  EXPECT_THAT(candidates[2].tls, testing::ElementsAre("openssl", "x"));
  EXPECT_EQ(candidates[2].service_name, "service-20");
  EXPECT_EQ(candidates[2].rule, "no rule matches");
}

TEST(ProcessesReportTest, TableIsAligned) {
  const std::string table = ToTable(Listed(), 0);
  EXPECT_EQ(table,
            "PID  EXECUTABLE        LANGUAGE  SERVICE     CONTAINER  UNIT           PORTS  "
            "TLS         RUNTIME         TRACED  RULE\n"
            " 10  /usr/sbin/nginx   generic   service-10  -          nginx.service  8080   "
            "-           -               yes     --exe */nginx\n"
            " 11  /usr/sbin/nginx   generic   service-11  -          -              -      "
            "-           -               yes     --exe */nginx\n"
            " 20  /usr/bin/python3  python    service-20  -          -              -      "
            "openssl, x  cpython 3.11.2  no      no rule matches\n");
}

TEST(ProcessesReportTest, ShowsTheContainerByNameOrShortId) {
  const FakeProc proc;
  FakeWorkloads workloads;
  workloads.Know(FakeWorkloads::Id('a'), "web");
  proc.Add({.pid = 10, .exe = "/x", .cgroup = FakeWorkloads::Cgroup('a')});
  proc.Add({.pid = 11, .exe = "/x", .cgroup = FakeWorkloads::Cgroup('b')});
  const auto selection = Selection::Create({.include = {{SelectorKind::kAll, ""}}, .exclude = {}});
  const auto candidates = ListCandidates(
      proc.reader(&workloads), *selection, [](uint32_t) { return ""; },
      [](uint32_t) { return Libraries{}; });
  ASSERT_EQ(candidates.size(), 2U);
  EXPECT_EQ(candidates[0].container, "web");
  EXPECT_EQ(candidates[1].container, "bbbbbbbbbbbb");
}

TEST(ProcessesReportTest, NarrowTerminalsShortenTheLongColumns) {
  auto candidates = Listed();
  candidates[0].executable = "/opt/äöü/a/very/long/path/to/the/nginx";
  candidates[0].rule = "--cmdline a-long-regular-expression-that-goes-on-and-on";
  for (const size_t width : {126U, 136U, 156U}) {
    std::istringstream lines(ToTable(candidates, width));
    for (std::string line; std::getline(lines, line);) {
      size_t columns = 0;
      for (const char c : line) columns += (static_cast<unsigned char>(c) & 0xC0U) != 0x80 ? 1 : 0;
      EXPECT_LE(columns, width) << line;
    }
  }
  EXPECT_THAT(ToTable(candidates, 126), HasSubstr("…"));
  EXPECT_THAT(ToTable(candidates, 126), HasSubstr("/nginx "));
}

TEST(ProcessesReportTest, ControlCharactersDoNotReachTheTerminal) {
  auto candidates = Listed();
  candidates[0].executable = "/bin/\x1b[31mred\n";
  const std::string table = ToTable(candidates, 0);
  EXPECT_THAT(table, Not(HasSubstr("\x1b")));
  EXPECT_THAT(table, HasSubstr("/bin/?[31mred?"));
}

TEST(ProcessesReportTest, JsonIsValidWhateverTheNamesAre) {
  auto candidates = Listed();
  candidates[1].executable = "/bin/\xff\"";
  const auto list = nlohmann::json::parse(ToJson(candidates));
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0]["pid"], 10);
  EXPECT_EQ(list[0]["service.name"], "service-10");
  EXPECT_EQ(list[0]["unit"], "nginx.service");
  EXPECT_EQ(list[0]["container"], "");
  EXPECT_EQ(list[0]["listen_ports"], nlohmann::json::array({8080}));
  EXPECT_EQ(list[0]["selected"], true);
  EXPECT_EQ(list[0]["rule"], "--exe */nginx");
  EXPECT_EQ(list[2]["runtime"], "cpython 3.11.2");
  EXPECT_EQ(nlohmann::json::parse(ToJson({})), nlohmann::json::array());
}

}  // namespace
}  // namespace sonde::discovery
