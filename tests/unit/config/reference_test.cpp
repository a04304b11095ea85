// SPDX-License-Identifier: Apache-2.0
// The generated parts of docs/reference are what the tables say. SONDE_UPDATE_DOCS=1 writes them
// anew.
#include "config/reference.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace sonde::config {
namespace {

constexpr const char* kBegin =
    "<!-- generated: SONDE_UPDATE_DOCS=1 and the test of this page -->\n";
constexpr const char* kEnd = "<!-- end of the generated part -->\n";

void Compare(const std::string& page, const std::string& generated) {
  const auto path = std::filesystem::path(SONDE_FIXTURES).parent_path().parent_path() / "docs" /
                    "reference" / page;
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const size_t begin = text.find(kBegin);
  const size_t end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos) << path;
  ASSERT_NE(end, std::string::npos) << path;
  const size_t start = begin + std::string(kBegin).size();
  if (std::getenv("SONDE_UPDATE_DOCS") != nullptr) {
    std::ofstream(path) << text.substr(0, start) << generated << text.substr(end);
    return;
  }
  EXPECT_EQ(text.substr(start, end - start), generated)
      << "docs/reference/" << page << " is out of date; run this test with SONDE_UPDATE_DOCS=1";
}

TEST(Reference, CommandLinePage) { Compare("command-line.md", CommandLineReference()); }

TEST(Reference, ConfigurationPage) { Compare("configuration.md", ConfigurationReference()); }

}  // namespace
}  // namespace sonde::config
