// SPDX-License-Identifier: Apache-2.0
// Environment variables as a value, so that tests and SIGHUP reloads see what they are given.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace sonde::config {

using Environment = std::map<std::string, std::string, std::less<>>;

// From the `environ` of a process: "NAME=value" strings, ended by a null pointer.
Environment ReadEnvironment(const char* const* variables);

}  // namespace sonde::config
