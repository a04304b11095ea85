// SPDX-License-Identifier: Apache-2.0
// Bytes that go past the system calls that are followed: io_uring, 32-bit calls. They must show as
// a gap of the right size, and no record may hold bytes of another call. sock_length sees that
// bytes moved, and counts them as unseen; sys_exit sees nothing, and the next position shows the
// hole.
#include <gtest/gtest.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"
#include "uring.h"

namespace sonde::kernel_test {
namespace {

class UnseenTest : public FamilyTest {
 protected:
  const std::string before_ = Request("before", 200);
  const std::string middle_ = Request("middle", 300);
  const std::string after_ = Request("after", 150);
  const std::string stream_ = before_ + middle_ + after_;

  // before_ and after_ go by ordinary calls, middle_ by `move`, in a child.
  void ExpectGap(Direction direction, const std::function<void(int fd, std::string& bytes)>& move) {
    const Pair pair = Connect(Kind::kTcp4);
    const int fd = pair.near.get();
    const double unseen = lab_->Dropped("payload_unseen");
    const bool sends = direction == Direction::kSend;
    ASSERT_TRUE(sends || SendAll(pair.far.get(), stream_));
    const Log log = lab_->Run([&] {
      std::string bytes = sends ? middle_ : std::string(middle_.size(), '\0');
      Must(sends ? SendAll(fd, before_) : ReceiveExactly(fd, before_.size()) == before_);
      move(fd, bytes);
      Must(bytes == middle_);
      Must(sends ? SendAll(fd, after_) : ReceiveExactly(fd, after_.size()) == after_);
    });
    ASSERT_TRUE(!sends || ReceiveExactly(pair.far.get(), stream_.size()) == stream_);
    const bool hole = family_ == "sys_exit";
    const Coverage seen = ExpectStream(log, lab_->Id(fd), direction, stream_, hole);
    EXPECT_EQ(seen.captured_bytes, before_.size() + after_.size());
    EXPECT_EQ(hole ? seen.missing_bytes : seen.unseen_bytes, middle_.size());
    EXPECT_EQ(lab_->Dropped("payload_unseen") - unseen, hole ? 0 : 1);
  }
};

TEST_P(UnseenTest, IoUring) {
  if (!Uring::Permitted()) GTEST_SKIP() << "io_uring is not permitted here";
  for (const Uring::Mode mode :
       {Uring::Mode::kInline, Uring::Mode::kWorker, Uring::Mode::kPolling}) {
    for (const Direction direction : {Direction::kSend, Direction::kReceive}) {
      SCOPED_TRACE(testing::Message() << "mode " << static_cast<int>(mode) << ", direction "
                                      << static_cast<int>(direction));
      const uint8_t opcode = direction == Direction::kSend ? IORING_OP_SEND : IORING_OP_RECV;
      ExpectGap(direction, [&](int fd, std::string& bytes) {
        Uring uring(mode);
        uring.Submit(opcode, fd, bytes.data(), bytes.size());
        Must(uring.Wait() == static_cast<int>(bytes.size()));
      });
    }
  }
}

// A receive that had to wait is finished when its task next leaves the kernel: here out of read(2),
// whose registers still stand there, with a buffer that holds something else.
TEST_P(UnseenTest, IoUringThatEndsInsideAnotherCall) {
  if (!Uring::Permitted()) GTEST_SKIP() << "io_uring is not permitted here";
  const Pair pair = Connect(Kind::kTcp4);
  const std::string answer = Request("answer", 300);
  const std::string decoy = Request("decoy", 300);
  const Log log = lab_->Run([&] {
    int pipe_ends[2];
    Must(pipe(pipe_ends) == 0);
    Must(SendAll(pair.near.get(), Request("first")));
    std::string bytes(300, '\0');
    std::string other = decoy;
    Uring uring(Uring::Mode::kInline);
    uring.Submit(IORING_OP_RECV, pair.near.get(), bytes.data(), bytes.size());
    if (fork() == 0) {
      usleep(20000);  // until the parent is in read
      Must(SendAll(pair.far.get(), answer));
      usleep(20000);
      Must(write(pipe_ends[1], "x", 1) == 1);
      _exit(0);
    }
    Must(read(pipe_ends[0], other.data(), other.size()) == 1);
    Must(uring.Wait() == 300 && bytes == answer);
    Must(wait(nullptr) > 0);
  });
  const auto received = log.Of(lab_->Id(pair.near.get()), Direction::kReceive);
  EXPECT_EQ(received.size(), family_ == "sys_exit" ? 0U : 1U);
  for (const Data& record : received) {
    EXPECT_TRUE(record.event.unseen);
    EXPECT_TRUE(record.prefix.empty());
    EXPECT_EQ(record.event.length, 300U);
  }
}

#if defined(__x86_64__)
// The 32-bit entry has other numbers: write is 4 there, and 4 is stat here.
long Write32(int fd, const void* bytes, size_t size) {
  long result = 4;
  asm volatile("int $0x80"
               : "+a"(result)
               : "b"(fd), "c"(bytes), "d"(size)
               : "memory", "r8", "r9", "r10", "r11");
  return result;
}

bool Has32BitCalls() {
  const pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    _exit(Write32(-1, &byte, 1) == -EBADF ? 0 : 1);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

TEST_P(UnseenTest, CallsOf32BitPrograms) {
  if (!Has32BitCalls()) GTEST_SKIP() << "the kernel has no 32-bit entry";
  ExpectGap(Direction::kSend, [](int fd, std::string& bytes) {
    void* low =
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    Must(low != MAP_FAILED);
    std::memcpy(low, bytes.data(), bytes.size());
    Must(Write32(fd, low, bytes.size()) == static_cast<long>(bytes.size()));
  });
}
#endif

SONDE_FOR_EACH_FAMILY(UnseenTest);

}  // namespace
}  // namespace sonde::kernel_test
