// SPDX-License-Identifier: Apache-2.0
// The judge is another program: for the same capture of real servers, tshark and sonde must name
// the same requests and the same answers. Skipped by name where tshark is not installed.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "connection/connection_table.h"
#include "protocol/registry.h"
#include "replay/pcap_reader.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "support/conversation.h"

namespace sonde::replay {
namespace {

// "METHOD target" and "status" with how often each occurs.
using Counts = std::map<std::string, int>;

Counts OfSonde(const std::string& path) {
  testing::CollectingSink sink;
  MetricRegistry metrics;
  auto table = connection::ConnectionTable::Create(LimitOptions(), protocol::RegisteredProtocols(),
                                                   sink, sink, metrics)
                   .value();
  EXPECT_TRUE(ReplayPcap(path, *table, metrics).ok());
  table->Shutdown(0);
  Counts counts;
  for (const Exchange& exchange : sink.exchanges) {
    const auto& http = std::get<HttpExchange>(exchange.detail);
    ++counts[http.request.method + " " + http.request.target];
    if (exchange.response.seen) ++counts[std::to_string(http.response.status)];
  }
  return counts;
}

void AddLine(const std::string& line, Counts& counts) {
  // method \t uri \t status; several values of one packet are separated by '|'.
  std::array<std::string, 3> fields;
  size_t field = 0;
  for (const char c : line) {
    if (c == '\t' && field < 2) {
      ++field;
    } else {
      fields[field] += c;
    }
  }
  while (!fields[0].empty()) {
    const auto cut = [](std::string& text) {
      const size_t bar = text.find('|');
      const std::string first = text.substr(0, bar);
      text = bar == std::string::npos ? "" : text.substr(bar + 1);
      return first;
    };
    const std::string method = cut(fields[0]);
    ++counts[method + " " + cut(fields[1])];
  }
  std::string status;
  for (const char c : fields[2] + "|") {
    if (c != '|') {
      status += c;
      continue;
    }
    if (!status.empty()) ++counts[status];
    status.clear();
  }
}

Counts OfTshark(const std::string& path, const std::string& options) {
  const std::string command =
      "tshark -r '" + path + "' " + options +
      " -d tcp.port==1-65535,http -Y http -T fields -E occurrence=a -E aggregator='|' "
      "-e http.request.method -e http.request.uri -e http.response.code 2>/dev/null";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  Counts counts;
  std::string line;
  for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    AddLine(line, counts);
    line.clear();
  }
  return counts;
}

// The captures have a snap length and faults. Each of tshark's ways of reassembly loses some of
// what is behind a cut body or a late segment, none of them invents: together they see all.
Counts OfTshark(const std::string& path) {
  constexpr const char* kLate = "-o tcp.reassemble_out_of_order:TRUE ";
  Counts counts;
  for (const std::string& options :
       {std::string(), std::string(kLate), std::string(kLate) + "-o http.desegment_body:FALSE"}) {
    for (const auto& [what, count] : OfTshark(path, options))
      counts[what] = std::max(counts[what], count);
  }
  // nginx's answer to bytes that are no request; sonde has no request to give it to.
  counts.erase("400");
  return counts;
}

class Tshark : public ::testing::TestWithParam<const char*> {};

TEST_P(Tshark, NamesTheSameMessages) {
  if (std::system("command -v tshark >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "tshark is not installed";
  const std::filesystem::path tests = std::filesystem::path(SONDE_FIXTURES).parent_path();
  const std::string path = tests / "pipeline" / "captures" / GetParam();
  const Counts ours = OfSonde(path);
  EXPECT_GT(ours.size(), 3U);
  EXPECT_EQ(ours, OfTshark(path));
}

INSTANTIATE_TEST_SUITE_P(Captures, Tshark,
                         ::testing::Values("loopback.pcap", "ipv6_any.pcapng", "out_of_order.pcap",
                                           "duplicated.pcap"),
                         [](const auto& test) {
                           const std::string name = test.param;
                           return name.substr(0, name.find('.'));
                         });

}  // namespace
}  // namespace sonde::replay
