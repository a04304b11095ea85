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
using ::testing::UnorderedElementsAreArray;

constexpr char kElf[] =
    "\x7f"
    "ELF";

class LikelyFilesTest : public ::testing::Test {
 protected:
  void Program(const std::string& name, const std::string& content) const {
    tree_.Write(name, content);
    std::filesystem::permissions(root_ + "/" + name, std::filesystem::perms::owner_all);
  }

  FakeProc tree_;  // of any files
  std::string root_ = tree_.root();
};

TEST_F(LikelyFilesTest, TheProgramIsLookedForInPath) {
  Program("usr/bin/curl", kElf);
  tree_.Write("bin/curl", "cannot be executed");
  EXPECT_THAT(LikelyFiles({"curl"}, {"/bin:/usr/bin", "", ""}, root_),
              ElementsAre("/usr/bin/curl"));
  EXPECT_THAT(LikelyFiles({"/usr/bin/curl"}, {}, root_), ElementsAre("/usr/bin/curl"));
  EXPECT_THAT(LikelyFiles({"wget"}, {"/bin:/usr/bin", "", ""}, root_), IsEmpty());
  EXPECT_THAT(LikelyFiles({"curl"}, {}, root_), IsEmpty());
}

TEST_F(LikelyFilesTest, AScriptsInterpreterIsOneToo) {
  Program("bin/python3", kElf);
  Program("app.py", "#!/bin/python3 -u\nimport ssl\n");
  EXPECT_THAT(LikelyFiles({"/app.py"}, {}, root_), ElementsAre("/app.py", "/bin/python3"));
}

TEST_F(LikelyFilesTest, EnvNamesTheInterpreterInPath) {
  Program("bin/env", kElf);
  Program("opt/node", kElf);
  Program("a.js", "#!/bin/env node\n");
  Program("b.js", "#! /bin/env -S node --expose-gc\n");
  const SearchPaths search = {"/opt", "", ""};
  EXPECT_THAT(LikelyFiles({"/a.js"}, search, root_), ElementsAre("/a.js", "/bin/env", "/opt/node"));
  EXPECT_THAT(LikelyFiles({"/b.js"}, search, root_), ElementsAre("/b.js", "/bin/env", "/opt/node"));
  EXPECT_THAT(LikelyFiles({"/a.js"}, {}, root_), ElementsAre("/a.js", "/bin/env"));
}

TEST_F(LikelyFilesTest, AProgramIsLookedAtOnce) {
  Program("loop", "#!/loop\n");
  Program("a", "#!/b\n");
  Program("b", "#!/a\n");
  EXPECT_THAT(LikelyFiles({"/loop", "/loop"}, {}, root_), ElementsAre("/loop"));
  EXPECT_THAT(LikelyFiles({"/a"}, {}, root_), ElementsAre("/a", "/b"));
}

TEST_F(LikelyFilesTest, WhatAnotherProgramIsToStart) {
  const SearchPaths search = {"/bin", "", ""};
  for (const char* name : {"env", "sh", "node", "my server"}) {
    Program(std::string("bin/") + name, kElf);
  }
  Program("opt/x/bin/python3", kElf);
  tree_.Write("opt/x/lib/python3.11/site-packages/a.libs/libssl.so.3", "");
  tree_.Write("etc/node", "not a program");
  std::filesystem::create_directories(root_ + "/srv/x");
  EXPECT_THAT(LikelyFiles({"env", "PORT=80", "node", "/srv/x", "/etc/node"}, search, root_),
              ElementsAre("/bin/env", "/bin/node"));
  EXPECT_THAT(LikelyFiles({"sh", "-c", "cd /srv/x && (A=1 /opt/x/bin/python3 app.py)&node<x"},
                          search, root_),
              ElementsAre("/bin/sh", "/opt/x/bin/python3", "/bin/node",
                          "/opt/x/lib/python3.11/site-packages/a.libs/libssl.so.3"));
  EXPECT_THAT(LikelyFiles({"my server", "my server"}, search, root_),
              ElementsAre("/bin/my server"));
}

TEST_F(LikelyFilesTest, WhatAShellsScriptNames) {
  const SearchPaths search = {"/bin", "", ""};
  for (const char* name : {"bash", "env", "node", "perl"}) {
    Program(std::string("bin/") + name, kElf);
  }
  Program("start", "#!/bin/env bash\nset -e\nexec node server.js \"$@\"\n");
  Program("start.pl", "#!/bin/perl\nexec 'node';\n");
  EXPECT_THAT(LikelyFiles({"/start"}, search, root_),
              ElementsAre("/start", "/bin/env", "/bin/bash", "/bin/node"));
  EXPECT_THAT(LikelyFiles({"/start.pl"}, search, root_), ElementsAre("/start.pl", "/bin/perl"));
}

TEST_F(LikelyFilesTest, AnEndlessListOfProgramsIsNotReadInFull) {
  std::string script = "#!/bin/sh\n";
  for (int i = 0; i < 100; ++i) {
    Program("bin/p" + std::to_string(i), kElf);
    script += "p" + std::to_string(i) + "\n";
  }
  Program("bin/sh", kElf);
  Program("start", script);
  EXPECT_EQ(LikelyFiles({"/start"}, {"/bin", "", ""}, root_).size(), 32U);
}

TEST_F(LikelyFilesTest, OddFirstLines) {
  const std::vector<std::string> lines = {
      "#!", "#!\n", "#! \n", "#", "", std::string(1000, '#'), "#!/no/such/program\n"};
  for (const std::string& line : lines) {
    Program("script", line);
    const auto files = LikelyFiles({"/script"}, {}, root_);
    ASSERT_FALSE(files.empty()) << line;
    EXPECT_EQ(files[0], "/script");
    EXPECT_LE(files.size(), 2U) << line;
  }
}

TEST_F(LikelyFilesTest, LibrariesOfTheSystem) {
  tree_.Write("usr/lib/x86_64-linux-gnu/libssl.so.3", "");
  tree_.Write("usr/lib/x86_64-linux-gnu/libssl.a", "");
  tree_.Write("usr/lib64/libgnutls.so.30.1", "");
  tree_.Write("lib64/libssl.so.1.1", "");
  const auto libraries =
      UnorderedElementsAre("/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/lib64/libgnutls.so.30.1",
                           "/lib64/libssl.so.1.1");
  EXPECT_THAT(LikelyFiles({"nothing"}, {}, root_), libraries);
  EXPECT_THAT(LikelyLibraries("/usr/bin/ruby", {}, root_), libraries);
}

TEST_F(LikelyFilesTest, PythonsPackagesBringTheirOwn) {
  Program("venv/bin/python", kElf);
  Program("venv/bin/gunicorn", "#!/venv/bin/python\n");
  const std::string packages = "venv/lib/python3.11/site-packages/";
  const std::string curl = packages + "pycurl.libs/libssl-0a1b2c3d.so.3";
  const std::string grpc = packages + "grpc/_cython/cygrpc.cpython-311-x86_64-linux-gnu.so";
  for (const std::string& file :
       {curl, grpc, packages + "pycurl.libs/libcurl-1.so.4", packages + "numpy/core.so"}) {
    tree_.Write(file, "");
  }
  const auto both = UnorderedElementsAre("/" + curl, "/" + grpc);
  EXPECT_THAT(LikelyLibraries("/venv/bin/python", {}, root_), both);
  EXPECT_THAT(LikelyLibraries("python", {"/bin:/venv/bin", "", ""}, root_), both);
  EXPECT_THAT(
      LikelyFiles({"/venv/bin/gunicorn"}, {}, root_),
      UnorderedElementsAre("/venv/bin/gunicorn", "/venv/bin/python", "/" + curl, "/" + grpc));
  EXPECT_THAT(LikelyLibraries("/venv/bin/gunicorn", {}, root_), IsEmpty());
}

TEST_F(LikelyFilesTest, WherePythonLooksForPackages) {
  Program("usr/bin/python3", kElf);
  const std::string name = "psycopg2_binary.libs/libssl-1.so.3";
  const std::vector<std::string> directories = {
      "usr/local/lib/python3.11/dist-packages/", "usr/lib/python3/dist-packages/",
      "usr/lib64/python3.9/site-packages/", "people/me/.local/lib/python3.12/site-packages/",
      "srv/vendored/"};
  std::vector<std::string> expected;
  for (const std::string& directory : directories) {
    tree_.Write(directory + name, "");
    expected.push_back("/" + directory + name);
  }
  EXPECT_THAT(
      LikelyLibraries("python3", {"/usr/bin", "relative::/srv/vendored", "/people/me"}, root_),
      UnorderedElementsAreArray(expected));
}

TEST_F(LikelyFilesTest, ADirectoryFullOfThemIsNotReadInFull) {
  for (int i = 0; i < 300; ++i) tree_.Write("lib64/libssl.so." + std::to_string(i), "");
  EXPECT_EQ(LikelyLibraries("/usr/bin/ruby", {}, root_).size(), 128U);
}

}  // namespace
}  // namespace sonde::tls
