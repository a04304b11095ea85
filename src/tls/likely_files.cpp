// SPDX-License-Identifier: Apache-2.0
#include "tls/likely_files.h"

#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <ios>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::tls {
namespace {

constexpr int kMaxInterpreters = 4;          // as the kernel follows (fs/exec.c)
constexpr std::streamsize kLineBytes = 256;  // BINPRM_BUF_SIZE

constexpr const char* kLibraries[] = {
    "/lib/*/libssl.so.*",     "/usr/lib/*/libssl.so.*",     "/lib64/libssl.so.*",
    "/usr/lib64/libssl.so.*", "/usr/local/lib/libssl.so.*", "/usr/lib/*/libgnutls.so.*",
    "/lib/*/libgnutls.so.*",  "/usr/lib64/libgnutls.so.*",
};

std::string Resolve(const std::string& command, std::string_view path) {
  if (command.find('/') != std::string::npos) return command;
  while (!path.empty()) {
    const std::string_view directory = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(directory.size() + 1, path.size()));
    std::string candidate = directory.empty() ? command : std::string(directory) + "/" + command;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

// What a script's first line names: the program, and the word after it, which for env(1) is one.
std::vector<std::string> Interpreters(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::array<char, kLineBytes> bytes{};
  stream.read(bytes.data(), bytes.size());
  std::string_view line(bytes.data(), static_cast<size_t>(stream.gcount()));
  if (!line.starts_with("#!")) return {};
  line = line.substr(2, line.find('\n') - 2);
  std::istringstream words{std::string(line)};
  std::vector<std::string> interpreters;
  std::string word;
  if (words >> word) interpreters.push_back(word);
  if (word.ends_with("/env")) {
    while (words >> word) {
      if (word.starts_with('-')) continue;
      interpreters.push_back(word);
      break;
    }
  }
  return interpreters;
}

void AddProgram(const std::string& command, std::string_view path, int depth,
                std::vector<std::string>& files) {
  const std::string file = Resolve(command, path);
  if (file.empty() || depth > kMaxInterpreters) return;
  files.push_back(file);
  for (const std::string& interpreter : Interpreters(file)) {
    AddProgram(interpreter, path, depth + 1, files);
  }
}

}  // namespace

std::vector<std::string> LikelyFiles(const std::string& command, std::string_view path,
                                     const std::string& root) {
  std::vector<std::string> files;
  AddProgram(command, path, 0, files);
  for (const char* pattern : kLibraries) {
    glob_t found = {};
    if (glob((root + pattern).c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
      files.insert(files.end(), found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    globfree(&found);
  }
  return files;
}

}  // namespace sonde::tls
