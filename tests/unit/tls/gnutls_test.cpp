// SPDX-License-Identifier: Apache-2.0
// Against the GnuTLS of this machine.
#include <absl/status/status.h>
#include <gtest/gtest.h>

#include "probes/tls/tls_libraries.h"
#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/probe/tls.h"
#include "unit/tls/real_file.h"

namespace sonde::probe {
namespace {

constexpr char kShared[] = "/usr/lib/x86_64-linux-gnu/libgnutls.so.30";

TEST(GnuTls, ReadsAndWritesAreFoundInTheSharedLibrary) {
  const auto elf = sonde::testing::OpenFile(kShared);
  if (elf == nullptr) GTEST_SKIP() << "no " << kShared;
  const auto plan = kGnuTls.resolve(*elf);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->version.starts_with("GnuTLS")) << plan->version;
  EXPECT_EQ(plan->remark, "");
  ASSERT_GE(plan->points.size(), 2U);
  for (const TlsPoint& point : plan->points) {
    sonde::testing::ExpectSoundPoint(kShared, point);
    EXPECT_EQ(point.spec.source, SONDE_SOURCE_GNUTLS);
    EXPECT_GT(point.spec.random, 0);
    EXPECT_EQ(point.spec.random_pointer, SONDE_NOWHERE);
    EXPECT_GT(point.spec.handshake, 0);
    EXPECT_EQ(point.spec.fd, SONDE_TLS_FD_NONE);
  }
  EXPECT_EQ(plan->points.front().spec.direction, SONDE_RECEIVE);
  EXPECT_FALSE(plan->points.front().follows_return);
  EXPECT_EQ(plan->points.back().spec.direction, SONDE_SEND);
  EXPECT_EQ(plan->points.back().spec.at_most, 16384U);
}

TEST(GnuTls, IsNotInOtherLibraries) {
  for (const char* path : {"/usr/lib/x86_64-linux-gnu/libssl.so.3", "/proc/self/exe"}) {
    const auto elf = sonde::testing::OpenFile(path);
    if (elf == nullptr) continue;
    EXPECT_EQ(kGnuTls.resolve(*elf).status().code(), absl::StatusCode::kNotFound) << path;
  }
}

}  // namespace
}  // namespace sonde::probe
