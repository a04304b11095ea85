// SPDX-License-Identifier: Apache-2.0
// Which files a traced process has in its memory: told once for a program, never of a file that is
// known to be plain, and anew of another file that got its number.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "kernel/file_descriptor.h"
#include "kernel/uprobes.h"
#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {
namespace {

constexpr size_t kPage = 4096;

class MappedTest : public FamilyTest {
 protected:
  void SetUp() override {
    FamilyTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (!lab_->kernel().reports_mappings()) GTEST_SKIP() << "family mapped is not here";
    char path[] = "/tmp/sonde-mapped-XXXXXX";
    file_ = kernel::FileDescriptor(mkostemp(path, O_CLOEXEC));
    ASSERT_TRUE(file_.valid());
    unlink(path);
    Resize(kPage);
  }

  void Resize(size_t bytes) {
    ASSERT_EQ(ftruncate(file_.get(), static_cast<off_t>(bytes)), 0);
    ASSERT_EQ(pwrite(file_.get(), "x", 1, 0), 1);
    ASSERT_EQ(fstat(file_.get(), &status_), 0);
  }
  // In a process of its own, as often as asked: how often it was told.
  size_t Touch(int times) {
    const Log log = lab_->Run([this, times] {
      for (int i = 0; i < times; ++i) {
        void* const memory = mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, file_.get(), 0);
        Must(memory != MAP_FAILED && *static_cast<const volatile char*>(memory) == 'x');
        Must(munmap(memory, kPage) == 0);
      }
    });
    return static_cast<size_t>(
        std::ranges::count(log.mapped, uint64_t{status_.st_ino}, &MappedEvent::inode));
  }
  void MarkPlain() {
    lab_->kernel().uprobes()->MarkPlain(status_.st_ino,
                                        major(status_.st_dev) << 20U | minor(status_.st_dev),
                                        static_cast<uint64_t>(status_.st_size));
  }

  kernel::FileDescriptor file_;
  struct stat status_ = {};
};

TEST_P(MappedTest, AFileIsToldOnceOfEachProcess) {
  EXPECT_EQ(Touch(3), 1);
  EXPECT_EQ(Touch(3), 1);
}

TEST_P(MappedTest, APlainFileIsNotToldUntilItsNumberIsAnotherFiles) {
  MarkPlain();
  EXPECT_EQ(Touch(3), 0);
  Resize(2 * kPage);
  EXPECT_EQ(Touch(3), 1);
}

SONDE_FOR_EACH_FAMILY(MappedTest);

}  // namespace
}  // namespace sonde::kernel_test
