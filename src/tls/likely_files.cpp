// SPDX-License-Identifier: Apache-2.0
#include "tls/likely_files.h"

#include <absl/strings/str_cat.h>
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
#include <utility>
#include <vector>

#include "sonde/probe/tls.h"

namespace sonde::tls {
namespace {

constexpr int kMaxInterpreters = 4;          // as the kernel follows (fs/exec.c)
constexpr std::streamsize kLineBytes = 256;  // BINPRM_BUF_SIZE

constexpr size_t kMaxLibraries = 64;

constexpr const char* kLibraryDirectories[] = {"/lib/*", "/usr/lib/*", "/lib64", "/usr/lib64",
                                               "/usr/local/lib"};

// Below what an interpreter's bin/ is in: Python's site.py, Debian's and Fedora's variants of it.
constexpr const char* kPackages[] = {"/lib/python3*/site-packages", "/lib64/python3*/site-packages",
                                     "/lib/python3/dist-packages",
                                     "/local/lib/python3*/dist-packages"};
constexpr char kUserPackages[] = "/.local/lib/python3*/site-packages";

std::string Resolve(const std::string& command, std::string_view path, const std::string& root) {
  if (command.find('/') != std::string::npos) return command;
  while (!path.empty()) {
    const std::string_view directory = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(directory.size() + 1, path.size()));
    std::string candidate = directory.empty() ? command : std::string(directory) + "/" + command;
    if (access((root + candidate).c_str(), X_OK) == 0) return candidate;
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

void AddProgram(const std::string& command, std::string_view path, const std::string& root,
                int depth, std::vector<std::string>& files) {
  const std::string file = Resolve(command, path, root);
  if (file.empty() || depth > kMaxInterpreters) return;
  files.push_back(file);
  for (const std::string& interpreter : Interpreters(root + file)) {
    AddProgram(interpreter, path, root, depth + 1, files);
  }
}

void AddMatches(const std::string& directory, std::string_view name, const std::string& root,
                std::vector<std::string>& files) {
  const std::string pattern = absl::StrCat(root, directory, "/", std::string(name));
  glob_t found = {};
  if (glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc && files.size() < kMaxLibraries; ++i) {
      files.emplace_back(std::string_view(found.gl_pathv[i]).substr(root.size()));
    }
  }
  globfree(&found);
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool IsPython(std::string_view program) {
  const std::string_view name = BaseName(program);
  return name.starts_with("python") || name.starts_with("pypy");
}

// Names with a star, question mark or bracket in them are taken for patterns: then too much may be
// found, or nothing.
std::vector<std::string> PackageDirectories(const std::string& python, const SearchPaths& search) {
  std::vector<std::string> directories;
  for (std::string_view rest = search.python_path; !rest.empty();) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
    if (directory.starts_with('/')) directories.emplace_back(directory);
  }
  const std::string bin = python.substr(0, python.size() - BaseName(python).size());
  constexpr std::string_view kBin = "/bin/";
  if (bin.ends_with(kBin)) {
    const std::string prefix = bin.substr(0, bin.size() - kBin.size());
    for (const char* packages : kPackages) directories.push_back(prefix + packages);
  }
  if (search.home.starts_with('/')) directories.push_back(search.home + kUserPackages);
  return directories;
}

}  // namespace

std::vector<std::string> LikelyFiles(const std::string& command, const SearchPaths& search,
                                     const std::string& root) {
  std::vector<std::string> files;
  AddProgram(command, search.path, root, 0, files);
  const std::string last = files.empty() ? "" : files.back();
  for (std::string& library : LikelyLibraries(last, search, root)) {
    files.push_back(std::move(library));
  }
  return files;
}

std::vector<std::string> LikelyLibraries(const std::string& program, const SearchPaths& search,
                                         const std::string& root) {
  std::vector<std::string> files;
  const std::string python = IsPython(program) ? Resolve(program, search.path, root) : "";
  const auto packages =
      python.empty() ? std::vector<std::string>() : PackageDirectories(python, search);
  for (const probe::TlsLibrary* library : probe::TlsLibraries()) {
    for (const std::string_view name : library->file_names) {
      for (const char* directory : kLibraryDirectories) AddMatches(directory, name, root, files);
    }
    for (const std::string_view name : library->packaged) {
      for (const std::string& directory : packages) AddMatches(directory, name, root, files);
    }
  }
  return files;
}

}  // namespace sonde::tls
