// SPDX-License-Identifier: Apache-2.0
#include "tls/mapped_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "kernel/file_descriptor.h"
#include "unit/tls/mapped_tree.h"

namespace sonde::tls {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint32_t kPid = 7;

std::vector<std::string> Paths(const std::vector<MappedFile>& files) {
  std::vector<std::string> paths;
  paths.reserve(files.size());
  for (const MappedFile& file : files) paths.push_back(file.path);
  return paths;
}

std::string Content(const kernel::FileDescriptor& file) {
  char bytes[64];
  const auto got = read(file.get(), bytes, sizeof(bytes));
  return got < 0 ? "unreadable" : std::string(bytes, static_cast<size_t>(got));
}

class MappedFilesTest : public ::testing::Test {
 protected:
  MappedFilesTest() { tree_.AddProcess(kPid, "/srv/app"); }
  std::vector<MappedFile> Read() const { return ReadMappedFiles(tree_.root(), kPid); }
  std::vector<MappedFile> Read(const std::string& maps) const {
    tree_.SetMaps(kPid, maps);
    return Read();
  }

  MappedTree tree_;
};

TEST_F(MappedFilesTest, EachFileOnceWithItsFirstRange) {
  const auto files = Read(
      "00005500-5510 r--p 00000000 fe:01 31 /srv/app\n"
      "5510-5520 r-xp 00010000 fe:01 31 /srv/app\n"
      "7f00-7f10 rw-s 00000000 00:2b 5000000000 /data/a b.db\n");
  ASSERT_THAT(Paths(files), ElementsAre("/srv/app", "/data/a b.db"));
  EXPECT_EQ(files[0].range, "5500-5510");
  EXPECT_EQ(files[0].id, (FileId{.inode = 31, .device = 0xfe << 20 | 1}));
  EXPECT_EQ(files[1].id, (FileId{.inode = 5'000'000'000, .device = 0x2b}));
}

// maps pads addresses with zeros, the names in map_files have none.
TEST_F(MappedFilesTest, RangesAreAsMapFilesNamesThem) {
  const auto files = Read(
      "00400000-00ab0000 r-xp 0 fe:01 1 /a\n"
      "0000-00010 r-xp 0 fe:01 2 /b\n"
      "- r-xp 0 fe:01 3 /c\n"
      "12- r-xp 0 fe:01 4 /d\n"
      "12 r-xp 0 fe:01 5 /e\n");
  ASSERT_EQ(files.size(), 5U);
  EXPECT_EQ(files[0].range, "400000-ab0000");
  EXPECT_EQ(files[1].range, "0-10");
  EXPECT_EQ(files[2].range + files[3].range + files[4].range, "");
}

TEST_F(MappedFilesTest, TlsLibrariesComeFirstThenTheExecutable) {
  EXPECT_THAT(
      Paths(Read("1-2 r--p 0 fe:01 1 /lib/libc.so.6\n"
                 "2-3 r--p 0 fe:01 2 /srv/app (deleted)\n"
                 "3-4 r--p 0 fe:01 3 /lib/libz.so.1\n"
                 "4-5 r--p 0 fe:01 4 /lib/libgnutls.so.30\n"
                 "5-6 r--p 0 fe:01 5 /lib/python/_ssl.cpython.so\n"
                 "6-7 r--p 0 fe:01 6 /openssl/share/data\n")),
      ElementsAre("/lib/libgnutls.so.30", "/lib/python/_ssl.cpython.so", "/srv/app (deleted)",
                  "/lib/libc.so.6", "/lib/libz.so.1", "/openssl/share/data"));
}

TEST_F(MappedFilesTest, WhatIsNoFileIsLeftOut) {
  EXPECT_THAT(Read("1-2 rw-p 00000000 00:00 0\n"
                   "1-2 rw-p 00000000 00:00 0 \n"
                   "2-3 rw-p 00000000 00:00 0                          [heap]\n"
                   "3-4 r-xp 00000000 00:00 0 [vdso]\n"
                   "4-5 rw-s 00000000 00:01 9 anon_inode:[perf_event]\n"
                   "5-6 rw-s 00000000 00:01 0 /dev/zero\n"),
              IsEmpty());
}

TEST_F(MappedFilesTest, LinesThatAreNotUnderstoodAreLeftOut) {
  EXPECT_THAT(Paths(Read("\n"
                         "1-2\n"
                         "1-2 r--p 0 fe:01\n"
                         "1-2 r--p 0 fe01 3 /no/colon\n"
                         "1-2 r--p 0 fe:xx 3 /no/number\n"
                         "1-2 r--p 0 fe:01 99999999999999999999999 /too/much\n"
                         "1-2 r--p 0 fe:01 -3 /negative\n"
                         "1-2 r--p 0 fe:01 3\n"
                         "1-2 r--p 0 fe:01 4 /odd \\012 name\n"
                         "1-2 r--p 0 fe:01 5 /cut")),
              ElementsAre("/odd \\012 name", "/cut"));
}

TEST_F(MappedFilesTest, AProcessThatIsGoneHasNone) {
  tree_.Exit(kPid);
  EXPECT_THAT(Read(), IsEmpty());
}

TEST_F(MappedFilesTest, OpensWhatIsMappedWhateverItsNameSays) {
  tree_.Map(kPid, "/lib/libssl.so.3 (deleted)", 3, tree_.AddFile("old", "the old one"));
  tree_.AddFile("new", "the new one");
  const auto files = Read();
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(Content(OpenMapped(tree_.root(), kPid, files[0])), "the old one");
}

TEST_F(MappedFilesTest, WithoutMapFilesThePathInTheProcessesRootIsOpened) {
  tree_.proc().Write("7/root/lib/libssl.so.3", "in the container");
  const auto files = Read("1-2 r--p 0 fe:01 3 /lib/libssl.so.3\n");
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(Content(OpenMapped(tree_.root(), kPid, files[0])), "in the container");
}

TEST_F(MappedFilesTest, ADevicePipeOrDirectoryIsNotOpened) {
  const std::string pipe = tree_.root() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  tree_.Map(kPid, "/dev/zero", 3, "/dev/zero");
  tree_.Map(kPid, "/run/pipe", 4, pipe);  // opening it would wait for a writer
  tree_.Map(kPid, "/run", 5, tree_.root());
  tree_.Map(kPid, "/run/gone", 6, tree_.root() + "/gone");
  const auto files = Read();
  ASSERT_EQ(files.size(), 4U);
  for (const MappedFile& file : files) {
    EXPECT_FALSE(OpenMapped(tree_.root(), kPid, file).valid()) << file.path;
  }
}

TEST(MappedFiles, OfThisProcess) {
  const auto files = ReadMappedFiles("/proc", static_cast<uint32_t>(getpid()));
  ASSERT_FALSE(files.empty());
  // No name here says TLS: the program comes first.
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto found = Paths(files);
  EXPECT_THAT(found, ::testing::Contains(self.string()));
  for (const MappedFile& file : files) {
    EXPECT_TRUE(OpenMapped("/proc", static_cast<uint32_t>(getpid()), file).valid()) << file.path;
  }
}

}  // namespace
}  // namespace sonde::tls
