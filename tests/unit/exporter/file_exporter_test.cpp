// SPDX-License-Identifier: Apache-2.0
#include "exporter/file/file_exporter.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "exporter/fd_writer.h"
#include "opentelemetry/proto/trace/v1/trace.pb.h"
#include "unit/exporter/samples.h"

namespace sonde::exporter {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using Code = ExportOutcome::Code;

// Spans of all lines; fails the test if a line is not a TracesData object.
size_t CountSpans(const std::string& text) {
  size_t count = 0;
  size_t start = 0;
  for (size_t end = 0; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    opentelemetry::proto::trace::v1::TracesData data;
    EXPECT_TRUE(
        google::protobuf::util::JsonStringToMessage(text.substr(start, end - start), &data).ok());
    for (const auto& resource : data.resource_spans())
      count += static_cast<size_t>(resource.scope_spans(0).spans_size());
  }
  EXPECT_EQ(start, text.size()) << "the last line is not ended";
  return count;
}

std::vector<Span> Batch(uint64_t first, size_t count) {
  std::vector<Span> batch;
  for (size_t i = 0; i < count; ++i) batch.push_back(ServerSpan(first + i, nullptr));
  return batch;
}

class FileExporterTest : public ::testing::Test {
 protected:
  FileExporterTest() {
    char path[] = "/tmp/sonde-file-XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~FileExporterTest() override { std::filesystem::remove_all(directory_); }
  std::string Path() const { return directory_ + "/traces.json"; }
  std::string Content() const {
    std::ifstream file(Path());
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string directory_;
};

TEST_F(FileExporterTest, AppendsALinePerBatchThatOthersMayNotRead) {
  for (int run = 0; run < 2; ++run) {
    auto exporter = FileExporter::Create({.path = Path()});
    ASSERT_TRUE(exporter.ok());
    EXPECT_STREQ((*exporter)->name(), "file");
    EXPECT_EQ((*exporter)->Export(Batch(1, 3), steady_clock::now() + 1s).code, Code::kDone);
    EXPECT_EQ((*exporter)->Export(Batch(9, 2), steady_clock::now() + 1s).code, Code::kDone);
  }
  const std::string text = Content();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
  EXPECT_EQ(CountSpans(text), 10U);
  struct stat status{};
  ASSERT_EQ(stat(Path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(FileExporterTest, RefusesAPathThatCannotBeOpened) {
  const auto exporter = FileExporter::Create({.path = directory_ + "/missing/traces.json"});
  EXPECT_EQ(exporter.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(exporter.status().message()), ::testing::HasSubstr("No such file"));
}

TEST_F(FileExporterTest, RotatesBySizeAndKeepsSoManyFiles) {
  auto exporter = FileExporter::Create({.path = Path(), .max_bytes = 5000, .max_files = 2});
  ASSERT_TRUE(exporter.ok());
  for (uint64_t i = 0; i < 40; ++i) {
    ASSERT_EQ((*exporter)->Export(Batch(i + 1, 1), steady_clock::now() + 1s).code, Code::kDone);
  }
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    ++files;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    EXPECT_GT(CountSpans(text), 0U) << entry.path();
    EXPECT_LE(text.size(), 5000U);
    EXPECT_EQ(entry.status().permissions(), std::filesystem::perms(0600));
  }
  EXPECT_EQ(files, 3U);
  EXPECT_NE(Content().find(ServerSpan(40, nullptr).span_id.ToHex()), std::string::npos);
}

TEST_F(FileExporterTest, GoesOnInANewFileWhenLogrotateMovedTheOld) {
  auto exporter = FileExporter::Create({.path = Path()});
  ASSERT_EQ((*exporter)->Export(Batch(1, 3), steady_clock::now() + 1s).code, Code::kDone);
  std::filesystem::rename(Path(), Path() + ".old");
  ASSERT_EQ((*exporter)->Export(Batch(4, 2), steady_clock::now() + 1s).code, Code::kDone);
  EXPECT_EQ(CountSpans(Content()), 2U);
  std::filesystem::remove(Path());
  ASSERT_EQ((*exporter)->Export(Batch(6, 1), steady_clock::now() + 1s).code, Code::kDone);
  EXPECT_EQ(CountSpans(Content()), 1U);
  std::filesystem::resize_file(Path(), 0);  // copytruncate
  ASSERT_EQ((*exporter)->Export(Batch(7, 4), steady_clock::now() + 1s).code, Code::kDone);
  EXPECT_EQ(CountSpans(Content()), 4U);
}

TEST_F(FileExporterTest, KeepsItsFileWhenThePathCannotBeOpenedAgain) {
  std::filesystem::create_directory(directory_ + "/sub");
  auto exporter = FileExporter::Create({.path = directory_ + "/sub/traces.json"});
  ASSERT_TRUE(exporter.ok());
  std::filesystem::remove_all(directory_ + "/sub");
  EXPECT_EQ((*exporter)->Export(Batch(1, 1), steady_clock::now() + 1s).code, Code::kDone);
  EXPECT_EQ((*exporter)->Export(Batch(2, 1), steady_clock::now() + 1s).code, Code::kDone);
}

TEST_F(FileExporterTest, FullDeviceIsRetried) {
  auto exporter = FileExporter::Create({.path = "/dev/full"});
  ASSERT_TRUE(exporter.ok());
  const ExportOutcome outcome = (*exporter)->Export(Batch(1, 1), steady_clock::now() + 1s);
  EXPECT_EQ(outcome.code, Code::kRetry);
  EXPECT_THAT(outcome.message, ::testing::HasSubstr("No space left"));
}

// A file that may not grow stands for a disk that is full in the middle of a line.
TEST_F(FileExporterTest, ContinuesAHalfWrittenLineWhenThereIsRoomAgain) {
  auto exporter = FileExporter::Create({.path = Path()});
  ASSERT_TRUE(exporter.ok());
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1000, before.rlim_max};
  const std::vector<Span> batch = Batch(1, 5);
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_EQ((*exporter)->Export(batch, steady_clock::now() + 1s).code, Code::kRetry);
  EXPECT_EQ((*exporter)->Export(batch, steady_clock::now() + 1s).code, Code::kRetry);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, previous);
  EXPECT_EQ(Content().size(), 1000U);
  EXPECT_EQ((*exporter)->Export(batch, steady_clock::now() + 1s).code, Code::kDone);
  EXPECT_EQ(CountSpans(Content()), 5U);
}

TEST_F(FileExporterTest, LineThatWasGivenUpSpoilsOnlyItself) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  fcntl(fds[1], F_SETPIPE_SZ, 4096);
  FileExporter exporter(std::make_unique<LineFile>(
      fds[1], LineFile::Options{.path = "/proc/self/fd/" + std::to_string(fds[1])}));
  EXPECT_EQ(exporter.Export(Batch(1, 20), steady_clock::now() + 50ms).code, Code::kRetry);
  std::string text;
  std::thread reader([&] {
    char buffer[4096];
    for (ssize_t n = 0; (n = read(fds[0], buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<size_t>(n));
      if (text.ends_with("]}\n")) break;
    }
  });
  EXPECT_EQ(exporter.Export(Batch(50, 20), steady_clock::now() + 5s).code, Code::kDone);
  reader.join();
  close(fds[0]);
  EXPECT_EQ(CountSpans(text.substr(text.find('\n') + 1)), 20U);
}

TEST_F(FileExporterTest, CancelEndsAWaitForAReader) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  FileExporter exporter(std::make_unique<LineFile>(
      fds[1], LineFile::Options{.path = "/proc/self/fd/" + std::to_string(fds[1])}));
  std::thread cancel([&] {
    std::this_thread::sleep_for(100ms);
    exporter.Cancel();
  });
  const auto start = steady_clock::now();
  EXPECT_EQ(exporter.Export(Batch(1, 500), start + 10s).code, Code::kRetry);
  EXPECT_LT(steady_clock::now() - start, 2s);
  cancel.join();
  close(fds[0]);
}

TEST_F(FileExporterTest, ReaderThatHasGoneIsFinalAndRaisesNoSignal) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  FileExporter exporter(std::make_unique<LineFile>(
      fds[1], LineFile::Options{.path = "/proc/self/fd/" + std::to_string(fds[1])}));
  close(fds[0]);
  EXPECT_EQ(exporter.Export(Batch(1, 1), steady_clock::now() + 1s).code, Code::kFailed);
}

}  // namespace
}  // namespace sonde::exporter
