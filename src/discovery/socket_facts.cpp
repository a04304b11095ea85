// SPDX-License-Identifier: Apache-2.0
#include "discovery/socket_facts.h"

#include <absl/container/flat_hash_set.h>
#include <dirent.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "sonde/pipeline/process.h"

namespace sonde::discovery {
namespace {

using Inodes = absl::flat_hash_set<uint64_t>;

constexpr size_t kMaxDescriptors = 65536;
constexpr size_t kMaxConnectedLines = 2000;  // looked at after the listening ones, about 256 KiB
constexpr std::string_view kListenState = "0A";  // TCP_LISTEN, include/net/tcp_states.h

Inodes SocketInodes(const std::string& directory) {
  Inodes inodes;
  DIR* fds = opendir(directory.c_str());
  if (fds == nullptr) return inodes;
  std::array<char, 64> target{};
  for (size_t seen = 0; seen < kMaxDescriptors; ++seen) {
    const dirent* entry = readdir(fds);
    if (entry == nullptr) break;
    const ssize_t size = readlinkat(dirfd(fds), entry->d_name, target.data(), target.size());
    if (size <= 0) continue;
    std::string_view text(target.data(), static_cast<size_t>(size));
    constexpr std::string_view kSocket = "socket:[";
    if (!text.starts_with(kSocket)) continue;
    text.remove_prefix(kSocket.size());
    uint64_t inode = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), inode);
    if (result.ec == std::errc()) inodes.insert(inode);
  }
  closedir(fds);
  return inodes;
}

struct TableLine {
  uint16_t port = 0;
  bool listening = false;
  uint64_t inode = 0;
};

// "  sl  local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...": words 1, 3
// and 9.
std::optional<TableLine> ParseLine(std::string_view text) {
  std::array<std::string_view, 10> words;
  for (std::string_view& word : words) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
  }
  const size_t colon = words[1].find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view port = words[1].substr(colon + 1);
  TableLine line;
  line.listening = words[3] == kListenState;
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), line.port, 16);
  const auto inode =
      std::from_chars(words[9].data(), words[9].data() + words[9].size(), line.inode);
  if (parsed.ec != std::errc() || inode.ec != std::errc()) return std::nullopt;
  return line;
}

void JoinTable(const std::string& path, const Inodes& inodes, ProcessFacts& facts) {
  std::ifstream table(path);
  std::string text;
  std::getline(table, text);  // heading
  size_t connected = 0;
  while (std::getline(table, text)) {
    const auto line = ParseLine(text);
    if (!line) continue;
    if (!line->listening && (facts.has_tcp || ++connected > kMaxConnectedLines)) return;
    if (!inodes.contains(line->inode)) continue;
    facts.has_tcp = true;
    if (line->listening) facts.listen_ports.push_back(line->port);
  }
}

}  // namespace

void ReadSockets(const std::string& directory, ProcessFacts& facts) {
  const Inodes inodes = SocketInodes(directory + "fd");
  facts.has_socket = !inodes.empty();
  if (inodes.empty()) return;  // the usual case right after an exec: no table is read
  JoinTable(directory + "net/tcp", inodes, facts);
  JoinTable(directory + "net/tcp6", inodes, facts);
  auto& ports = facts.listen_ports;
  std::ranges::sort(ports);
  const auto repeated = std::ranges::unique(ports);
  ports.erase(repeated.begin(), repeated.end());
}

}  // namespace sonde::discovery
