// SPDX-License-Identifier: Apache-2.0
#include "tls/likely_files.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "sonde/probe/tls.h"

namespace sonde::tls {
namespace {

constexpr std::streamsize kLineBytes = 256;  // BINPRM_BUF_SIZE
constexpr std::streamsize kScriptBytes = 64L << 10;
constexpr size_t kMaxPrograms = 32;
constexpr size_t kMaxFiles = 128;

constexpr char kBetweenWords[] = " \t\r\n;&|()<>{}`'\"$=";

constexpr const char* kLibraryDirectories[] = {"/lib/*", "/usr/lib/*", "/lib64", "/usr/lib64",
                                               "/usr/local/lib"};

// Below what an interpreter's bin/ is in: Python's site.py, Debian's and Fedora's variants of it.
constexpr const char* kPackages[] = {"/lib/python3*/site-packages", "/lib64/python3*/site-packages",
                                     "/lib/python3/dist-packages",
                                     "/local/lib/python3*/dist-packages"};
constexpr char kUserPackages[] = "/.local/lib/python3*/site-packages";

bool IsProgram(const std::string& file) {
  std::error_code error;
  return std::filesystem::is_regular_file(file, error) && access(file.c_str(), X_OK) == 0;
}

// Empty: there is no such program.
std::string Resolve(const std::string& command, std::string_view path, const std::string& root) {
  if (command.find('/') != std::string::npos) return IsProgram(root + command) ? command : "";
  while (!path.empty()) {
    const std::string_view directory = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(directory.size() + 1, path.size()));
    std::string candidate = directory.empty() ? command : std::string(directory) + "/" + command;
    if (IsProgram(root + candidate)) return candidate;
  }
  return "";
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string ReadStart(const std::string& file, std::streamsize most) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes(static_cast<size_t>(most), '\0');
  stream.read(bytes.data(), most);
  bytes.resize(static_cast<size_t>(stream.gcount()));
  return bytes;
}

// What a script's first line names: the program, and the word after it, which for env(1) is one.
std::vector<std::string> Interpreters(const std::string& file) {
  const std::string start = ReadStart(file, kLineBytes);
  std::string_view line = start;
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

bool IsShell(std::string_view program) {
  static constexpr std::string_view kShells[] = {"sh", "bash", "dash", "ash", "ksh", "zsh"};
  return std::ranges::find(kShells, BaseName(program)) != std::end(kShells);
}

// The programs that a command names, in order, each once.
class Programs {
 public:
  Programs(std::string_view path, const std::string& root) : path_(path), root_(root) {}

  // The program, its interpreters, and what it names if it is a script for a shell.
  void Add(const std::string& command) {
    const std::string file = Resolve(command, path_, root_);
    if (file.empty() || files_.size() >= kMaxPrograms) return;
    if (std::ranges::find(files_, file) != files_.end()) return;
    files_.push_back(file);
    const std::vector<std::string> interpreters = Interpreters(root_ + file);
    for (const std::string& interpreter : interpreters) Add(interpreter);
    if (!interpreters.empty() && IsShell(interpreters.back())) {
      AddWords(ReadStart(root_ + file, kScriptBytes));
    }
  }

  // Every word that is the name of a program: what a shell, env(1) or timeout(1) would make of the
  // text is not told here, a program too many costs some milliseconds.
  void AddWords(const std::string& text) {
    const std::vector<std::string> words =
        absl::StrSplit(text, absl::ByAnyChar(kBetweenWords), absl::SkipEmpty());
    for (const std::string& word : words) Add(word);
  }

  const std::vector<std::string>& files() const { return files_; }

 private:
  std::string_view path_;
  const std::string& root_;
  std::vector<std::string> files_;
};

void AddMatches(const std::string& directory, std::string_view name, const std::string& root,
                std::vector<std::string>& files) {
  const std::string pattern = absl::StrCat(root, directory, "/", std::string(name));
  glob_t found = {};
  if (glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc && files.size() < kMaxFiles; ++i) {
      files.emplace_back(std::string_view(found.gl_pathv[i]).substr(root.size()));
    }
  }
  globfree(&found);
}

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

void AddSystemLibraries(const std::string& root, std::vector<std::string>& files) {
  for (const probe::TlsLibrary* library : probe::TlsLibraries()) {
    for (const std::string_view name : library->file_names) {
      for (const char* directory : kLibraryDirectories) AddMatches(directory, name, root, files);
    }
  }
}

void AddPackages(const std::string& python, const SearchPaths& search, const std::string& root,
                 std::vector<std::string>& files) {
  const std::vector<std::string> directories = PackageDirectories(python, search);
  for (const probe::TlsLibrary* library : probe::TlsLibraries()) {
    for (const std::string_view name : library->packaged) {
      for (const std::string& directory : directories) AddMatches(directory, name, root, files);
    }
  }
}

}  // namespace

std::vector<std::string> LikelyFiles(const std::vector<std::string>& command,
                                     const SearchPaths& search, const std::string& root) {
  Programs programs(search.path, root);
  for (const std::string& argument : command) {
    programs.Add(argument);
    programs.AddWords(argument);
  }
  std::vector<std::string> files = programs.files();
  AddSystemLibraries(root, files);
  for (const std::string& program : programs.files()) {
    if (IsPython(program)) AddPackages(program, search, root, files);
  }
  return files;
}

std::vector<std::string> LikelyLibraries(const std::string& program, const SearchPaths& search,
                                         const std::string& root) {
  std::vector<std::string> files;
  AddSystemLibraries(root, files);
  const std::string python = IsPython(program) ? Resolve(program, search.path, root) : "";
  if (!python.empty()) AddPackages(python, search, root, files);
  return files;
}

}  // namespace sonde::tls
