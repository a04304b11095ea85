// SPDX-License-Identifier: Apache-2.0
#include "tls/likely_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "unit/discovery/fake_proc.h"

namespace sonde::tls {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class LikelyFilesTest : public ::testing::Test {
 protected:
  std::string Program(const std::string& name, const std::string& content) const {
    tree_.Write(name, content);
    std::filesystem::permissions(Path(name), std::filesystem::perms::owner_all);
    return Path(name);
  }
  std::string Path(const std::string& name) const { return root_ + "/" + name; }

  FakeProc tree_;  // of any files
  std::string root_ = tree_.root();
};

TEST_F(LikelyFilesTest, TheProgramIsLookedForInPath) {
  const std::string curl = Program("usr/bin/curl",
                                   "\x7f"
                                   "ELF");
  tree_.Write("bin/curl", "cannot be executed");
  const std::string path = Path("bin") + ":" + Path("usr/bin");
  EXPECT_THAT(LikelyFiles("curl", path, root_), ElementsAre(curl));
  EXPECT_THAT(LikelyFiles(curl, "", root_), ElementsAre(curl));
  EXPECT_THAT(LikelyFiles("wget", path, root_), IsEmpty());
  EXPECT_THAT(LikelyFiles("curl", "", root_), IsEmpty());
}

TEST_F(LikelyFilesTest, AScriptsInterpreterIsOneToo) {
  const std::string python = Program("bin/python3",
                                     "\x7f"
                                     "ELF");
  const std::string script = Program("app.py", "#!" + python + " -u\nimport ssl\n");
  EXPECT_THAT(LikelyFiles(script, "", root_), ElementsAre(script, python));
}

TEST_F(LikelyFilesTest, EnvNamesTheInterpreterInPath) {
  const std::string env = Program("bin/env",
                                  "\x7f"
                                  "ELF");
  const std::string node = Program("opt/node",
                                   "\x7f"
                                   "ELF");
  const std::string plain = Program("a.js", "#!" + env + " node\n");
  const std::string with_options = Program("b.js", "#! " + env + " -S node --expose-gc\n");
  EXPECT_THAT(LikelyFiles(plain, Path("opt"), root_), ElementsAre(plain, env, node));
  EXPECT_THAT(LikelyFiles(with_options, Path("opt"), root_), ElementsAre(with_options, env, node));
  EXPECT_THAT(LikelyFiles(plain, "", root_), ElementsAre(plain, env));
}

TEST_F(LikelyFilesTest, InterpretersOfInterpretersEnd) {
  const std::string loop = Path("loop");
  Program("loop", "#!" + loop + "\n");
  const auto files = LikelyFiles(loop, "", root_);
  EXPECT_EQ(files.size(), 5U);
}

TEST_F(LikelyFilesTest, OddFirstLines) {
  const std::vector<std::string> lines = {
      "#!", "#!\n", "#! \n", "#", "", std::string(1000, '#'), "#!/no/such/program\n"};
  for (const std::string& line : lines) {
    const std::string script = Program("script", line);
    const auto files = LikelyFiles(script, "", root_);
    ASSERT_FALSE(files.empty()) << line;
    EXPECT_EQ(files[0], script);
    EXPECT_LE(files.size(), 2U) << line;
  }
}

TEST_F(LikelyFilesTest, LibrariesOfTheSystem) {
  tree_.Write("usr/lib/x86_64-linux-gnu/libssl.so.3", "");
  tree_.Write("usr/lib/x86_64-linux-gnu/libssl.a", "");
  tree_.Write("usr/lib64/libgnutls.so.30.1", "");
  tree_.Write("lib64/libssl.so.1.1", "");
  EXPECT_THAT(
      LikelyFiles("nothing", "", root_),
      UnorderedElementsAre(Path("usr/lib/x86_64-linux-gnu/libssl.so.3"),
                           Path("usr/lib64/libgnutls.so.30.1"), Path("lib64/libssl.so.1.1")));
}

}  // namespace
}  // namespace sonde::tls
