// SPDX-License-Identifier: Apache-2.0
#include "tls/futex_waits.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <string>

#include "unit/discovery/fake_proc.h"

namespace sonde::tls {
namespace {

TEST(FutexWaitsTest, OnlyThoseThatSleepInAFutex) {
  const FakeProc proc;
  const auto thread = [&](const std::string& tid, const std::string& text) {
    proc.Write("10/task/" + tid + "/syscall", text);
  };
  thread("10",
         std::to_string(SYS_futex) + " 0x7f0000000abc 0x189 0x0 0x0 0x0 0xffffffff 0x1 0x2\n");
  thread("11", "running\n");
  thread("12", "-1 0x7ffc0 0x7f00\n");
  thread("13", std::to_string(SYS_read) + " 0x5 0x7f0000000abc 0x0 0x0 0x0 0x0 0x1 0x2\n");
  thread("14", "");
  const auto waits = ReadFutexWaits(proc.root(), 10);
  ASSERT_EQ(waits.size(), 1U);
  EXPECT_EQ(waits[0].tid, 10U);
  EXPECT_EQ(waits[0].address, 0x7f0000000abcU);
}

TEST(FutexWaitsTest, ProcessThatIsGone) {
  const FakeProc proc;
  EXPECT_TRUE(ReadFutexWaits(proc.root(), 10).empty());
}

}  // namespace
}  // namespace sonde::tls
