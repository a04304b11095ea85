// SPDX-License-Identifier: Apache-2.0
// Short forms for tests of the command line and the file.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "config/environment.h"
#include "config/invocation.h"
#include "sonde/base/result.h"

namespace sonde::config {

inline Result<Invocation> Parse(std::vector<std::string> words, const Environment& env = {}) {
  words.insert(words.begin(), "sonde");
  std::vector<const char*> argv;
  argv.reserve(words.size());
  for (const std::string& word : words) argv.push_back(word.c_str());
  return ParseCommandLine(static_cast<int>(argv.size()), argv.data(), env);
}

// The message of the error, "" if there is none.
inline std::string Refusal(const Result<Invocation>& result) {
  if (result.ok()) return {};
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(result.status().message());
}

inline std::string RefusalOf(std::vector<std::string> words, const Environment& env = {}) {
  return Refusal(Parse(std::move(words), env));
}

// A configuration file that lives as long as this. Its name in messages is path().
class TempFile {
 public:
  explicit TempFile(const std::string& text) {
    static int count = 0;
    path_ = testing::TempDir() + "sonde-config-" + std::to_string(getpid()) + "-" +
            std::to_string(count++) + ".yaml";
    std::ofstream(path_) << text;
  }
  ~TempFile() { std::remove(path_.c_str()); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// `run --port 80` with this file; any command does, this one needs a selector.
inline Result<Invocation> ParseFile(const std::string& yaml, const Environment& env = {},
                                    std::vector<std::string> words = {}) {
  const TempFile file(yaml);
  words.insert(words.begin(), {"config", "check", "--config", file.path()});
  auto result = Parse(std::move(words), env);
  if (result.ok()) return result;
  std::string message(result.status().message());
  for (size_t at = message.find(file.path()); at != std::string::npos;
       at = message.find(file.path())) {
    message.replace(at, file.path().size(), "F");
  }
  return Status(result.status().code(), message);
}

}  // namespace sonde::config
