// SPDX-License-Identifier: Apache-2.0
// The generated parts of docs/reference: a unit test compares the pages with these.
#pragma once

#include <string>

namespace sonde::config {

// Markdown: the help of every command.
std::string CommandLineReference();

// Markdown: tables of all keys with type, default, flag, variables, meaning.
std::string ConfigurationReference();

}  // namespace sonde::config
