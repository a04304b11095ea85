// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "container/membership.h"
#include "discovery/socket_facts.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/workload.h"

namespace sonde {
namespace {

constexpr size_t kStatBytes = 1024;  // 52 numbers and a name of at most 64 bytes
constexpr size_t kArgsBytes = 64U << 10;
constexpr size_t kEnvBytes = 1U << 20;
constexpr size_t kEnvValueBytes = 16U << 10;
constexpr size_t kCgroupBytes = 16U << 10;
constexpr size_t kMountBytes = 128U << 10;
constexpr size_t kStatusBytes = 8U << 10;
constexpr uint64_t kKernelThreadFlag = 0x00200000;  // PF_KTHREAD

std::string PidPath(uint32_t pid, std::string_view name) {
  std::string path = std::to_string(pid);
  path.append("/").append(name);
  return path;
}

std::string ReadLink(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = readlink(path.c_str(), target.data(), target.size());
  return size > 0 ? std::string(target.data(), static_cast<size_t>(size)) : std::string();
}

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// proc(5): pid (comm) state ppid ... flags is field 9, starttime field 22. The name may hold spaces
// and parentheses, so the last ')' ends it.
bool ParseStat(std::string_view text, ProcessFacts& facts) {
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return false;
  facts.comm = text.substr(open + 1, close - open - 1);
  text.remove_prefix(close + 1);
  bool complete = false;
  for (int field = 3; !complete && !text.empty(); ++field) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(word.size());
    uint64_t flags = 0;
    if (field == 4 && !ParseNumber(word, facts.parent)) return false;
    if (field == 9) {
      if (!ParseNumber(word, flags)) return false;
      facts.kernel_thread = (flags & kKernelThreadFlag) != 0;
    }
    if (field == 22) complete = ParseNumber(word, facts.start_ticks);
    if (field > 22) return false;
  }
  return complete;
}

void ParseArgs(std::string_view text, std::vector<std::string>& args) {
  // A program that writes its own title leaves a tail of NULs.
  while (!text.empty() && text.back() == '\0') text.remove_suffix(1);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\0'), text.size());
    args.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// A title that a process writes over its arguments runs on into its environment, which is filled
// with zeros: no variable is empty.
void ParseEnv(std::string_view text, std::span<const std::string> wanted, ProcessFacts& facts) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\0'), text.size());
    const std::string_view entry = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    facts.env_overwritten = facts.env_overwritten || entry.empty();
    const size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = entry.substr(0, equals);
    if (std::ranges::find(wanted, name) == wanted.end()) continue;
    if (facts.Env(name) != nullptr) continue;  // getenv(3) gives the first
    facts.env.emplace_back(name, entry.substr(equals + 1, kEnvValueBytes));
  }
}

void AddMissing(const Variables& known, std::span<const std::string> wanted, ProcessFacts& facts) {
  for (const auto& [name, value] : known) {
    if (facts.Env(name) != nullptr || std::ranges::find(wanted, name) == wanted.end()) continue;
    facts.env.emplace_back(name, value);
  }
}

// Lines "id:controllers:path"; version 2 has id 0 and no controllers. A path of "/" is kept only if
// there is no other.
void ParseCgroups(std::string_view text, std::vector<std::string>& cgroups) {
  std::vector<std::string> others;
  bool root = false;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view path = line.substr(second + 1);
    if (path == "/") {
      root = true;
    } else if (line.starts_with("0::")) {
      cgroups.emplace_back(path);
    } else {
      others.emplace_back(path);
    }
  }
  for (std::string& path : others) {
    if (std::ranges::find(cgroups, path) == cgroups.end()) {
      cgroups.push_back(std::move(path));
    }
  }
  if (cgroups.empty() && root) cgroups.emplace_back("/");
}

// "Uid:\treal\teffective\tsaved\tfilesystem"
void ParseOwner(std::string_view text, ProcessFacts& facts) {
  const size_t at = text.find("\nUid:\t");
  if (at == std::string_view::npos) return;
  text.remove_prefix(at + 6);
  text = text.substr(0, text.find('\n'));
  const size_t tab = text.find('\t');
  if (tab == std::string_view::npos) return;
  text.remove_prefix(tab + 1);
  facts.has_uid = ParseNumber(text.substr(0, text.find('\t')), facts.uid);
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

}  // namespace

std::string_view ProcessFacts::exe_name() const {
  const std::string_view path = exe;
  const std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 == 0
  return name.empty() ? std::string_view(comm) : name;
}

const std::string* ProcessFacts::Env(std::string_view name) const {
  for (const auto& [key, value] : env) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<std::string> ProcessReader::ReadFile(std::string_view name, size_t limit,
                                                   bool* truncated) const {
  if (root_.empty()) return std::nullopt;
  std::string path = root_;
  path.append("/").append(name);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::nullopt;
  std::string content;
  bool more = true;
  while (more && content.size() < limit) {
    const size_t before = content.size();
    const size_t chunk = std::min<size_t>(limit - before, std::max<size_t>(4096, before));
    content.resize(before + chunk);
    const ssize_t size = read(fd, content.data() + before, chunk);
    if (size < 0 && errno == EINTR) {
      content.resize(before);
      continue;
    }
    content.resize(before + (size > 0 ? static_cast<size_t>(size) : 0));
    more = size > 0;
  }
  char probe = 0;
  if (truncated != nullptr && content.size() == limit && read(fd, &probe, 1) == 1)
    *truncated = true;
  close(fd);
  return content;
}

Surroundings ProcessReader::Ask(Membership membership) const {
  Surroundings around;
  around.membership = std::move(membership);
  if (workloads_ == nullptr) return around;
  around.container = workloads_->Container(around.membership);
  around.pod = workloads_->Pod(around.membership);
  around.pending = workloads_->Pending(around.membership);
  return around;
}

std::vector<uint32_t> ProcessReader::Pids() const {
  std::vector<uint32_t> pids;
  if (root_.empty()) return pids;
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir(root_.c_str()));
  if (directory == nullptr) return pids;
  while (const dirent* entry = readdir(directory.get())) {  // one thread uses this stream
    uint32_t pid = 0;
    if (ParseNumber(std::string_view(entry->d_name), pid) && pid != 0) pids.push_back(pid);
  }
  std::ranges::sort(pids);
  return pids;
}

std::optional<ProcessFacts> ProcessReader::Read(uint32_t pid, uint32_t fields,
                                                std::span<const std::string> wanted_env) const {
  ProcessFacts facts;
  facts.pid = pid;
  const auto stat = ReadFile(PidPath(pid, "stat"), kStatBytes);
  if (!stat || !ParseStat(*stat, facts)) return std::nullopt;
  const auto text = [&](std::string_view name, size_t limit) {
    return ReadFile(PidPath(pid, name), limit, &facts.truncated).value_or(std::string());
  };
  if ((fields & kFieldExe) != 0) {
    facts.exe = ReadLink(root_ + "/" + PidPath(pid, "exe"));
    constexpr std::string_view kDeleted = " (deleted)";
    if (facts.exe.ends_with(kDeleted)) facts.exe.resize(facts.exe.size() - kDeleted.size());
  }
  if ((fields & kFieldCwd) != 0) facts.cwd = ReadLink(root_ + "/" + PidPath(pid, "cwd"));
  if ((fields & kFieldArgs) != 0) ParseArgs(text("cmdline", kArgsBytes), facts.args);
  if ((fields & kFieldEnv) != 0) ParseEnv(text("environ", kEnvBytes), wanted_env, facts);
  if ((fields & (kFieldCgroups | kFieldWorkload)) != 0) {
    ParseCgroups(text("cgroup", kCgroupBytes), facts.cgroups);
  }
  if ((fields & kFieldWorkload) != 0) {
    Membership membership = container::ReadMembership(facts.cgroups);
    if (container::PathsAreHidden(facts.cgroups)) {
      container::AddFromMounts(ReadFile(PidPath(pid, "mountinfo"), kMountBytes).value_or(""),
                               membership);
    }
    facts.around = Ask(std::move(membership));
  }
  if (facts.env_overwritten) {
    const Surroundings& around = facts.around;
    if (around.container != nullptr) AddMissing(around.container->env, wanted_env, facts);
    if (around.pod != nullptr) AddMissing(around.pod->env, wanted_env, facts);
  }
  if ((fields & kFieldOwner) != 0) ParseOwner(text("status", kStatusBytes), facts);
  if ((fields & kFieldPorts) != 0) discovery::ReadSockets(root_ + "/" + PidPath(pid, ""), facts);
  return facts;
}

}  // namespace sonde
