// SPDX-License-Identifier: Apache-2.0
// Files that a program will probably use for TLS, found before it does: probed by then, its first
// connection is seen however quickly it comes.
#pragma once

#include <string>
#include <vector>

namespace sonde::tls {

// Variables of its environment.
struct SearchPaths {
  std::string path;         // PATH
  std::string python_path;  // PYTHONPATH
  std::string home;         // HOME
};

// A command that is about to be started, as execvp(3) is given it. Absolute paths of files that
// exist: the programs that its words name, its own and those that a shell, env(1) or timeout(1) is
// to start, with the interpreters of those that are scripts and the programs that a shell's script
// names; and what LikelyLibraries says of them. Some may never be used; 128 files at most.
std::vector<std::string> LikelyFiles(const std::vector<std::string>& command,
                                     const SearchPaths& search, const std::string& root = "");

// What a program may load at run time: the TLS libraries in the system's library directories, and
// for an interpreter of Python those that its packages bring along (probe::TlsLibrary says how they
// are named). `program` is what it was called by, which in a virtual environment tells where its
// packages are; it is looked for in PATH if it has no slash. Paths are as a process with this root
// directory sees them.
std::vector<std::string> LikelyLibraries(const std::string& program, const SearchPaths& search,
                                         const std::string& root = "");

}  // namespace sonde::tls
