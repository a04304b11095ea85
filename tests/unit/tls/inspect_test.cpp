// SPDX-License-Identifier: Apache-2.0
#include "tls/inspect.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "kernel/file_descriptor.h"
#include "unit/tls/mapped_tree.h"

namespace sonde::tls {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr char kOpenSsl[] = "/usr/lib/x86_64-linux-gnu/libssl.so.3";

Inspection Inspect(const std::string& path) {
  const kernel::FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return InspectFile(file.get());
}

bool Exists(const std::string& path) { return access(path.c_str(), R_OK) == 0; }

TEST(Inspect, AFileWithoutTls) {
  MappedTree tree;
  for (const std::string& path :
       {std::string("/proc/self/exe"), std::string("/bin/sh"), tree.AddFile("text", "#!/bin/sh\n"),
        tree.AddFile("empty", ""), tree.root(), std::string("/dev/null")}) {
    EXPECT_EQ(Inspect(path).library, "") << path;
  }
  EXPECT_EQ(InspectFile(-1).library, "");
}

TEST(Inspect, ALibrary) {
  if (!Exists(kOpenSsl)) GTEST_SKIP() << "no " << kOpenSsl;
  const Inspection found = Inspect(kOpenSsl);
  EXPECT_EQ(found.library, "openssl");
  EXPECT_TRUE(found.status.ok()) << found.status;
  EXPECT_GE(found.plan.points.size(), 2U);
}

TEST(Inspect, AProcessInWords) {
  if (!Exists(kOpenSsl)) GTEST_SKIP() << "no " << kOpenSsl;
  MappedTree tree;
  tree.AddProcess(7, "/srv/app");
  tree.Map(7, "/srv/app", 1, "/bin/sh");
  tree.Map(7, "/lib/libssl.so.3", 2, kOpenSsl);
  tree.Map(7, "/opt/copy/libssl.so.3", 3, kOpenSsl);  // the same words once
  tree.Map(7, "/srv/notes (deleted)", 4, "/no/such/file");
  EXPECT_THAT(DescribeProcess(tree.root(), 7).tls, ElementsAre(StartsWith("openssl (OpenSSL 3.")));
  EXPECT_THAT(DescribeProcess(tree.root(), 8).tls, IsEmpty());
}

}  // namespace
}  // namespace sonde::tls
