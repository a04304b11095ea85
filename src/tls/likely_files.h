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

// A command that is about to be started. Absolute paths of files that exist: the program that
// execvp(3) would run for it; if that is a script its interpreters; and what LikelyLibraries says
// of the last of them.
std::vector<std::string> LikelyFiles(const std::string& command, const SearchPaths& search,
                                     const std::string& root = "");

// What a program may load at run time: the TLS libraries in the system's library directories, and
// for an interpreter of Python those that its packages bring along (probe::TlsLibrary says how they
// are named). `program` is what it was called by, which in a virtual environment tells where its
// packages are; it is looked for in PATH if it has no slash. Paths are as a process with this root
// directory sees them.
std::vector<std::string> LikelyLibraries(const std::string& program, const SearchPaths& search,
                                         const std::string& root = "");

}  // namespace sonde::tls
