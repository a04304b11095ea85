// SPDX-License-Identifier: Apache-2.0
#include "admin/process_metrics.h"

#include <dirent.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "sonde/base/metrics.h"

namespace sonde::admin {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Fields of /proc/PID/stat after the command name, which may hold spaces and brackets: index 0 is
// field 3, state.
std::vector<std::string> StatFields(const std::string& stat) {
  const size_t end = stat.rfind(')');
  if (end == std::string::npos) return {};
  std::istringstream rest(stat.substr(end + 1));
  return {std::istream_iterator<std::string>(rest), {}};
}

std::optional<double> Number(const std::vector<std::string>& fields, size_t proc_field) {
  constexpr size_t kFirst = 3;  // proc(5) counts from 1, and StatFields starts at 3
  if (proc_field - kFirst >= fields.size()) return std::nullopt;
  double value = 0;
  std::istringstream text(fields[proc_field - kFirst]);
  if (!(text >> value)) return std::nullopt;
  return value;
}

// Boot time in Unix seconds, from the "btime" line.
std::optional<double> BootTime() {
  std::istringstream stat(ReadFile("/proc/stat"));
  std::string name;
  double value = 0;
  while (stat >> name) {
    if (name == "btime" && stat >> value) return value;
  }
  return std::nullopt;
}

std::optional<double> CountEntries(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(directory.c_str()), closedir);
  if (dir == nullptr) return std::nullopt;
  double count = 0;
  while (const dirent* entry = readdir(dir.get())) {
    if (entry->d_name[0] != '.') ++count;
  }
  return count - 1;  // opendir's own descriptor
}

// The soft limit, in the fourth word of "Max open files <soft> <hard> files".
std::optional<double> MaxFiles(const std::string& limits) {
  constexpr const char* kName = "Max open files";
  const size_t start = limits.find(kName);
  if (start == std::string::npos) return std::nullopt;
  std::istringstream rest(limits.substr(start + std::string(kName).size()));
  double value = 0;
  if (!(rest >> value)) return std::nullopt;  // "unlimited"
  return value;
}

}  // namespace

std::vector<MetricFamily> ReadProcessMetrics(const std::string& proc_self) {
  std::vector<MetricFamily> families;
  const auto add = [&](const char* name, const char* help, MetricType type,
                       std::optional<double> value) {
    if (value) families.push_back({name, help, type, {{{}, *value}}});
  };
  const auto stat = StatFields(ReadFile(proc_self + "/stat"));
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto user = Number(stat, 14);
  const auto system = Number(stat, 15);
  if (user && system) {
    add("process_cpu_seconds_total", "User and system CPU time spent, in seconds.",
        MetricType::kCounter, (*user + *system) / ticks);
  }
  if (const auto pages = Number(stat, 24)) {
    add("process_resident_memory_bytes", "Resident memory size in bytes.", MetricType::kGauge,
        *pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  add("process_virtual_memory_bytes", "Virtual memory size in bytes.", MetricType::kGauge,
      Number(stat, 23));
  add("process_threads", "Number of threads.", MetricType::kGauge, Number(stat, 20));
  const auto start = Number(stat, 22);
  const auto boot = BootTime();
  if (start && boot) {
    add("process_start_time_seconds", "Start time of the process since the Unix epoch, in seconds.",
        MetricType::kGauge, *boot + *start / ticks);
  }
  add("process_open_fds", "Number of open file descriptors.", MetricType::kGauge,
      CountEntries(proc_self + "/fd"));
  add("process_max_fds", "Maximum number of open file descriptors.", MetricType::kGauge,
      MaxFiles(ReadFile(proc_self + "/limits")));
  return families;
}

}  // namespace sonde::admin
