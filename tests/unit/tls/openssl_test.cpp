// SPDX-License-Identifier: Apache-2.0
// Against the OpenSSL of this machine; what other builds gave is in probes/tls/openssl/NOTES.md.
#include <absl/status/status.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "probes/tls/tls_libraries.h"
#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/probe/tls.h"
#include "unit/tls/real_file.h"

namespace sonde::probe {
namespace {

constexpr char kShared[] = "/usr/lib/x86_64-linux-gnu/libssl.so.3";
constexpr char kNode[] = "/usr/bin/node";

class OpenSslTest : public ::testing::TestWithParam<const char*> {};

size_t Count(const TlsPlan& plan, uint8_t direction) {
  return static_cast<size_t>(
      std::count_if(plan.points.begin(), plan.points.end(),
                    [&](const TlsPoint& point) { return point.spec.direction == direction; }));
}

TEST_P(OpenSslTest, EveryPointIsCheapAndDescribed) {
  const auto elf = sonde::testing::OpenFile(GetParam());
  if (elf == nullptr) GTEST_SKIP() << "no " << GetParam();
  const auto plan = kOpenSsl.resolve(*elf);
  if (plan.status().code() == absl::StatusCode::kNotFound) {
    GTEST_SKIP() << GetParam() << " has no OpenSSL of its own";
  }
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->remark, "");
  EXPECT_TRUE(plan->version.starts_with("OpenSSL ")) << plan->version;
  EXPECT_GE(Count(*plan, SONDE_RECEIVE), 1U);
  EXPECT_GE(Count(*plan, SONDE_SEND), 1U);
  for (const TlsPoint& point : plan->points) {
    sonde::testing::ExpectSoundPoint(GetParam(), point);
    EXPECT_EQ(point.spec.source, SONDE_SOURCE_OPENSSL);
    EXPECT_GT(point.spec.random, 0);
    EXPECT_EQ(point.spec.fd, SONDE_TLS_FD_BIO);
    EXPECT_GT(point.spec.bio, 0);
    // Reads are copies; writes are followed, but their return is looked at for long texts only.
    EXPECT_EQ(point.follows_return, point.spec.direction == SONDE_SEND);
    EXPECT_EQ(point.spec.entire, point.spec.direction == SONDE_SEND ? 16384U : 0U);
  }
}

TEST_P(OpenSslTest, IsResolvedInBoundedTime) {
  const auto elf = sonde::testing::OpenFile(GetParam());
  if (elf == nullptr) GTEST_SKIP() << "no " << GetParam();
  const auto start = std::chrono::steady_clock::now();
  (void)kOpenSsl.resolve(*elf);
  // 10 to 40 ms without sanitizers on this machine; with them, and others at work, much more.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

INSTANTIATE_TEST_SUITE_P(Files, OpenSslTest, ::testing::Values(kShared, kNode));

// The build that all of docs and evidence were made with. Others are covered by the case above.
TEST(OpenSsl3019, PointsAsMeasured) {
  const auto elf = sonde::testing::OpenFile(kShared);
  if (elf == nullptr) GTEST_SKIP() << "no " << kShared;
  const auto plan = kOpenSsl.resolve(*elf);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->points.size(), 2U);
  const TlsPoint& read = plan->points[0];
  const TlsPoint& write = plan->points[1];
  if (read.where != "ssl3_read_bytes+0x842") GTEST_SKIP() << "another build: " << read.where;
  EXPECT_EQ(read.spec.object.from, SONDE_REGISTER_SP);
  EXPECT_EQ(read.spec.object.memory, 1);
  EXPECT_EQ(read.spec.object.offset, 0x28);
  EXPECT_EQ(read.spec.random, 0x160);
  EXPECT_EQ(read.spec.random_pointer, SONDE_NOWHERE);
  EXPECT_EQ(read.spec.handshake, 0x64);
  EXPECT_EQ(read.spec.bio, 0x10);
  // SSL_peek passes here, too: its argument was spilled by the prologue.
  EXPECT_EQ(read.spec.has_unless, 1);
  EXPECT_EQ(read.spec.unless.memory, 1);
  EXPECT_EQ(read.spec.unless.narrow, 1);
  EXPECT_EQ(write.where, "ssl_write_internal+0x0");
  EXPECT_EQ(write.spec.returned, SONDE_RETURNED_COUNT);
  EXPECT_EQ(write.spec.count.from, SONDE_REGISTER_CX);
  EXPECT_EQ(write.spec.bio, 0x18);
  EXPECT_EQ(write.spec.bio_method, 0x8);
  EXPECT_EQ(write.spec.bio_fd, 0x38);
}

TEST(OpenSsl, IsNotInFilesThatOnlyUseItOrDoNot) {
  for (const char* path :
       {"/proc/self/exe", "/usr/bin/curl", "/bin/sh", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"}) {
    const auto elf = sonde::testing::OpenFile(path);
    if (elf == nullptr) continue;
    EXPECT_EQ(kOpenSsl.resolve(*elf).status().code(), absl::StatusCode::kNotFound) << path;
  }
}

TEST(TlsLibraries, HaveNamesOfTheirOwn) {
  const auto libraries = TlsLibraries();
  for (size_t i = 0; i < libraries.size(); ++i) {
    EXPECT_NE(libraries[i]->resolve, nullptr);
    for (size_t j = 0; j < i; ++j) EXPECT_NE(libraries[i]->name, libraries[j]->name);
  }
}

}  // namespace
}  // namespace sonde::probe
