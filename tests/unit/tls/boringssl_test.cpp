// SPDX-License-Identifier: Apache-2.0
// No package of a distribution has BoringSSL: SONDE_BORINGSSL names a file that does, such as
// cygrpc.so of a grpcio wheel. What such files gave is in probes/tls/boringssl/NOTES.md.
#include <absl/status/status.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "probes/tls/tls_libraries.h"
#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/probe/tls.h"
#include "unit/tls/real_file.h"

namespace sonde::probe {
namespace {

TEST(BoringSsl, ReadsAndWritesAreFound) {
  const char* path = std::getenv("SONDE_BORINGSSL");
  if (path == nullptr) GTEST_SKIP() << "SONDE_BORINGSSL names no file";
  const auto elf = sonde::testing::OpenFile(path);
  ASSERT_NE(elf, nullptr);
  const auto plan = kBoringSsl.resolve(*elf);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->remark, "");
  ASSERT_EQ(plan->points.size(), 2U);
  for (const TlsPoint& point : plan->points) {
    sonde::testing::ExpectSoundPoint(path, point);
    EXPECT_EQ(point.spec.source, SONDE_SOURCE_BORINGSSL);
    EXPECT_EQ(point.spec.random, 0x30);
    EXPECT_EQ(point.spec.random_pointer, 0x30);
  }
  EXPECT_EQ(plan->points[0].spec.direction, SONDE_RECEIVE);
  EXPECT_EQ(plan->points[1].where, "SSL_write+0x0");
  EXPECT_EQ(kOpenSsl.resolve(*elf).status().code(), absl::StatusCode::kNotFound);
}

TEST(BoringSsl, IsNotInOtherLibraries) {
  for (const char* path : {"/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/bin/node",
                           "/usr/lib/x86_64-linux-gnu/libgnutls.so.30"}) {
    const auto elf = sonde::testing::OpenFile(path);
    if (elf == nullptr) continue;
    EXPECT_EQ(kBoringSsl.resolve(*elf).status().code(), absl::StatusCode::kNotFound) << path;
  }
}

}  // namespace
}  // namespace sonde::probe
