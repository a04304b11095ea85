// SPDX-License-Identifier: Apache-2.0
// Files that a command which is about to be started will probably use for TLS: probed before it
// runs, its first connection is seen however quickly it comes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sonde::tls {

// Absolute paths of files that exist: the program that execvp(3) would run for `command`, with
// `path` as PATH; if it is a script its interpreters; and the TLS libraries in the system's library
// directories below `root`.
std::vector<std::string> LikelyFiles(const std::string& command, std::string_view path,
                                     const std::string& root = "");

}  // namespace sonde::tls
