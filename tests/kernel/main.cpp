// SPDX-License-Identifier: Apache-2.0
// As gtest_main, but says 77 (ctest: skipped) if every case that ran was skipped, and 1 if a filter
// matched none.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  std::signal(SIGPIPE, SIG_IGN);
  const int failed = RUN_ALL_TESTS();
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  if (all.test_to_run_count() == 0) {
    std::fprintf(stderr, "no case matches\n");
    return 1;
  }
  return failed == 0 && all.skipped_test_count() == all.test_to_run_count() ? 77 : failed;
}
