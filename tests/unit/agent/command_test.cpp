// SPDX-License-Identifier: Apache-2.0
#include "agent/command.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/signals.h"

namespace sonde::agent {
namespace {

sigset_t EmptyMask() {
  sigset_t mask;
  sigemptyset(&mask);
  return mask;
}

std::optional<int> WaitFor(Command& command) {
  for (int i = 0; i < 500; ++i) {
    if (auto code = command.Reap()) return code;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return std::nullopt;
}

TEST(CommandTest, DoesNothingBeforeStartAndGivesTheExitCode) {
  const std::string mark = testing::TempDir() + "sonde_command_" + std::to_string(getpid());
  auto command = Command::Prepare({"sh", "-c", "echo x > " + mark + "; exit 7"}, EmptyMask());
  ASSERT_TRUE(command.ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(std::ifstream(mark).good());
  ASSERT_TRUE((*command)->Start().ok());
  EXPECT_EQ(WaitFor(**command), 7);
  EXPECT_TRUE(std::ifstream(mark).good());
  unlink(mark.c_str());
}

TEST(CommandTest, EndBySignalIs128PlusNumber) {
  auto command = Command::Prepare({"sleep", "30"}, EmptyMask());
  ASSERT_TRUE((*command)->Start().ok());
  (*command)->Signal(SIGTERM);
  EXPECT_EQ(WaitFor(**command), 128 + SIGTERM);
}

TEST(CommandTest, MissingProgramIsNotFound) {
  auto command = Command::Prepare({"/nonexistent/program"}, EmptyMask());
  const Status status = (*command)->Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(WaitFor(**command), 127);
}

TEST(CommandTest, AChildThatWasNeverStartedIsGone) {
  pid_t pid = 0;
  {
    auto command = Command::Prepare({"sleep", "30"}, EmptyMask());
    pid = (*command)->pid();
  }
  EXPECT_NE(kill(pid, 0), 0);
}

TEST(SignalsTest, ReadsWhatWasSent) {
  auto signals = Signals::Block();
  ASSERT_TRUE(signals.ok());
  EXPECT_FALSE((*signals)->Next().has_value());
  kill(getpid(), SIGHUP);
  const auto received = (*signals)->Next();
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->number, SIGHUP);
  EXPECT_FALSE(received->from_terminal);
  sigprocmask(SIG_SETMASK, &(*signals)->previous_mask(), nullptr);
}

}  // namespace
}  // namespace sonde::agent
