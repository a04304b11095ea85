// SPDX-License-Identifier: Apache-2.0
#include "tls/watcher.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kernel/file_descriptor.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/event.h"
#include "sonde/probe/prober.h"
#include "sonde/probe/runtime.h"
#include "sonde/probe/tls.h"
#include "tls/inspect.h"
#include "unit/tls/mapped_tree.h"

namespace sonde::tls {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// Counts what it is told to do. `failure` is what the next attachments give.
class FakeProber final : public probe::Prober {
 public:
  Result<std::unique_ptr<Attachment>> Attach(int, std::span<const probe::TlsPoint>) override {
    ++attempts;
    if (!failure.ok()) return failure;
    return std::make_unique<Probes>(attached);
  }
  Result<std::unique_ptr<Attachment>> Attach(int, const sonde_runtime&,
                                             std::span<const probe::RuntimePoint>) override {
    return std::make_unique<Probes>(attached);
  }
  void SetRuntime(uint32_t tgid, const sonde_runtime& runtime) override {
    runtimes[tgid] = runtime;
  }
  std::optional<sonde_runtime> RuntimeOf(uint32_t tgid) const override {
    const auto found = runtimes.find(tgid);
    return found == runtimes.end() ? std::nullopt : std::optional(found->second);
  }
  void SetParker(uint32_t, uint64_t parker, uint32_t tid) override { parkers[parker] = tid; }
  void MarkPlain(uint64_t inode, uint32_t, uint64_t bytes) override {
    plain.emplace_back(inode, bytes);
  }

  std::atomic<int> attached = 0;  // now
  int attempts = 0;
  Status failure;
  std::vector<std::pair<uint64_t, uint64_t>> plain;
  std::map<uint32_t, sonde_runtime> runtimes;
  std::map<uint64_t, uint32_t> parkers;

 private:
  class Probes final : public Attachment {
   public:
    explicit Probes(std::atomic<int>& count) : count_(count) { ++count_; }
    ~Probes() override { --count_; }

   private:
    std::atomic<int>& count_;
  };
};

// A file says itself what it is.
Inspection InspectFake(int file) {
  char bytes[64] = {};
  const auto got = pread(file, bytes, sizeof(bytes), 0);
  const std::string content(bytes, got < 0 ? 0 : static_cast<size_t>(got));
  Inspection inspection;
  if (content.starts_with("decodable")) inspection.library = "openssl";
  if (content.starts_with("runtime")) {
    inspection.runtime = "node";
    inspection.runtime_kind = SONDE_RUNTIME_NODE;
    inspection.runtime_plan.version = "v20.19.2";
  }
  if (content.starts_with("demanding")) {
    inspection.runtime = "go";
    inspection.runtime_kind = SONDE_RUNTIME_GO;
    probe::RuntimePoint point;
    point.use = probe::RuntimePointUse::kOnDemand;
    inspection.runtime_plan.points.push_back(point);
  }
  if (content.starts_with("hotspot")) {
    inspection.runtime = "hotspot";
    inspection.runtime_kind = SONDE_RUNTIME_JAVA;
    inspection.runtime_plan.least_parker_bytes = 88;
    inspection.runtime_plan.most_parker_bytes = 96;
  }
  if (content.starts_with("undecodable")) {
    inspection.library = "jvm";
    inspection.status = absl::UnimplementedError("its code is made at run time");
  }
  return inspection;
}

class WatcherTest : public ::testing::Test {
 public:
  WatcherTest() {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("", std::move(sink)));
    library_ = tree_.AddFile("library", "decodable");
    Restart(milliseconds(60'000));
  }
  ~WatcherTest() override {
    watcher_.reset();
    spdlog::set_default_logger(saved_log_);
  }

 protected:
  Inspection Inspect(int file) {
    ++inspected_;
    return InspectFake(file);
  }
  void Restart(milliseconds linger) {
    Watcher::Options options{.proc = tree_.root(),
                             .linger = linger,
                             .idle_check = milliseconds(5),
                             .inspect = [this](int file) { return Inspect(file); }};
    watcher_ = std::make_unique<Watcher>(prober_, std::move(options), metrics_);
  }
  // A process that has the library mapped.
  void Start(uint32_t tgid) {
    tree_.AddProcess(tgid, "/srv/app");
    tree_.Map(tgid, "/lib/libssl.so.3", 50, library_);
  }
  void Begin(uint32_t tgid) {
    watcher_->Begin(tgid);
    watcher_->Settle();
  }
  void Happens(ProcessChange change, uint32_t tgid, uint32_t parent = 0) {
    Tell(change, tgid, parent, true);
    watcher_->Settle();
  }
  void Tell(ProcessChange change, uint32_t tgid, uint32_t parent, bool traced) {
    ProcessEvent event;
    event.change = change;
    event.tgid = tgid;
    event.parent_tgid = parent;
    event.traced = traced;
    watcher_->OnProcess(event);
  }
  static bool Becomes(const std::function<bool()>& condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(milliseconds(5));
    return condition();
  }
  double Gauge(const std::string& state) const {
    double sum = 0;
    for (const MetricFamily& family : metrics_.Snapshot()) {
      if (family.name != "sonde_tls_libraries") continue;
      for (const MetricSample& sample : family.samples) {
        if (sample.labels.back().second == state) sum += sample.value;
      }
    }
    return sum;
  }
  size_t Logged(const std::string& text) const {
    const std::string log = log_.str();
    size_t count = 0;
    for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
    return count;
  }

  MappedTree tree_;
  std::string library_;
  FakeProber prober_;
  MetricRegistry metrics_;
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> saved_log_ = spdlog::default_logger();
  int inspected_ = 0;
  std::unique_ptr<Watcher> watcher_;
};

TEST_F(WatcherTest, TheVersionOfARuntime) {
  tree_.AddProcess(7, "/usr/bin/node");
  tree_.Map(7, "/usr/bin/node", 60, tree_.AddFile("node", "runtime"));
  EXPECT_EQ(watcher_->RuntimeVersion(7), "");
  Begin(7);
  EXPECT_EQ(watcher_->RuntimeVersion(7), "20.19.2");
  Happens(ProcessChange::kFork, 8, 7);
  EXPECT_EQ(watcher_->RuntimeVersion(8), "20.19.2");
  EXPECT_EQ(watcher_->TakeRuntimes(), (std::vector<uint32_t>{7, 8}));
  EXPECT_EQ(watcher_->TakeRuntimes(), std::vector<uint32_t>{});
  Happens(ProcessChange::kExit, 7);
  EXPECT_EQ(watcher_->RuntimeVersion(7), "");
}

TEST_F(WatcherTest, ALibraryIsProbedOnceForAllItsUsers) {
  for (const uint32_t tgid : {7U, 8U, 9U}) {
    Start(tgid);
    Begin(tgid);
  }
  EXPECT_EQ(prober_.attempts, 1);
  EXPECT_EQ(prober_.attached, 1);
  EXPECT_EQ(inspected_, 1);
  EXPECT_EQ(Gauge("decoded"), 1);
}

TEST_F(WatcherTest, AFileWithoutTlsIsMarkedAndInspectedOnce) {
  tree_.AddProcess(7, "/srv/app");
  tree_.Map(7, "/srv/app", 31, tree_.AddFile("app", "nothing"));
  Begin(7);
  Begin(7);
  tree_.AddProcess(8, "/srv/app");
  tree_.Map(8, "/srv/app", 31, tree_.root() + "/files/app");
  Begin(8);
  EXPECT_THAT(prober_.plain, ElementsAre(Pair(31, 7), Pair(31, 7)));
  EXPECT_EQ(inspected_, 1);
  EXPECT_EQ(prober_.attempts, 0);
}

TEST_F(WatcherTest, ALibraryThatIsLoadedLaterIsSeenAtTheNextLook) {
  tree_.AddProcess(7, "/srv/app");
  Begin(7);
  EXPECT_EQ(prober_.attached, 0);
  tree_.Map(7, "/lib/libssl.so.3", 50, library_);
  Begin(7);
  EXPECT_EQ(prober_.attached, 1);
}

TEST_F(WatcherTest, ProbesStayWhileThereIsAUserAndLingerAfter) {
  Restart(milliseconds(0));
  Start(7);
  Start(8);
  Begin(7);
  Begin(8);
  Happens(ProcessChange::kExit, 7);
  std::this_thread::sleep_for(milliseconds(30));  // several checks
  EXPECT_EQ(prober_.attached, 1);
  watcher_->End(8);
  EXPECT_TRUE(Becomes([this] { return prober_.attached == 0; }));
  EXPECT_TRUE(Becomes([this] { return Gauge("decoded") == 0; }));
  Start(9);
  Begin(9);
  EXPECT_EQ(prober_.attached, 1);
  EXPECT_EQ(inspected_, 1);  // still known
  EXPECT_EQ(Gauge("decoded"), 1);
}

TEST_F(WatcherTest, ADeletedFileIsForgottenWhenNobodyUsesIt) {
  Restart(milliseconds(0));
  const kernel::FileDescriptor deleted(open(tree_.root().c_str(), O_TMPFILE | O_RDWR, 0600));
  ASSERT_TRUE(deleted.valid());
  ASSERT_GT(write(deleted.get(), "decodable", 9), 0);
  for (const uint32_t process : {7, 8}) {
    tree_.AddProcess(process, "/srv/app");
    tree_.Map(process, "/usr/lib/libssl.so", 33, absl::StrCat("/proc/self/fd/", deleted.get()));
    Begin(process);
    watcher_->End(process);
    EXPECT_TRUE(Becomes([this] { return prober_.attached == 0; }));
    EXPECT_TRUE(Becomes([this] { return Gauge("decoded") == 0; }));
  }
  EXPECT_EQ(inspected_, 2);
}

TEST_F(WatcherTest, AChildUsesWhatItsParentDoes) {
  Restart(milliseconds(0));
  Start(7);
  Begin(7);
  Happens(ProcessChange::kFork, 8, 7);  // nothing of it is in /proc
  Happens(ProcessChange::kExit, 7);
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(prober_.attached, 1);
  Happens(ProcessChange::kExit, 8);
  EXPECT_TRUE(Becomes([this] { return prober_.attached == 0; }));
}

TEST_F(WatcherTest, AChildOfAnUnknownParentIsLookedAt) {
  Start(8);
  Happens(ProcessChange::kFork, 8, 7);
  EXPECT_EQ(prober_.attached, 1);
}

TEST_F(WatcherTest, WhatIsNotTracedIsLeftAlone) {
  Start(7);
  Tell(ProcessChange::kExec, 7, 1, false);
  watcher_->Settle();
  Happens(ProcessChange::kListen, 7);
  EXPECT_EQ(prober_.attempts, 0);
}

TEST_F(WatcherTest, AnExecBeginsAnew) {
  Restart(milliseconds(0));
  Start(7);
  Begin(7);
  tree_.AddProcess(7, "/srv/other");
  Happens(ProcessChange::kExec, 7);
  EXPECT_TRUE(Becomes([this] { return prober_.attached == 0; }));
  Start(7);
  Happens(ProcessChange::kExec, 7);
  EXPECT_EQ(prober_.attached, 1);
}

// The look of before the exec, still waiting, does not stand for the one after it.
TEST_F(WatcherTest, AnExecRightAfterTheBeginIsNotLost) {
  Restart(milliseconds(0));
  Start(7);
  watcher_->Begin(7);
  Tell(ProcessChange::kExec, 7, 1, true);
  watcher_->Settle();
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(prober_.attached, 1);
}

TEST_F(WatcherTest, WhereMappingsAreNotReportedItIsLookedAgain) {
  Watcher::Options options{.proc = tree_.root(), .mappings_are_reported = false};
  options.inspect = InspectFake;
  watcher_ = std::make_unique<Watcher>(prober_, std::move(options), metrics_);
  tree_.AddProcess(7, "/srv/app");
  Begin(7);
  tree_.Map(7, "/lib/libssl.so.3", 50, library_);
  EXPECT_TRUE(Becomes([this] { return prober_.attached == 1; }));
}

TEST_F(WatcherTest, AFileThatIsReplacedIsProbedAsItIsNow) {
  Start(7);
  Begin(7);
  const std::string upgraded = tree_.AddFile("upgraded", "decodable, newer");
  tree_.AddProcess(8, "/srv/app");
  tree_.Map(8, "/lib/libssl.so.3", 51, upgraded);
  Begin(8);
  EXPECT_EQ(prober_.attached, 2);  // process 7 still has the old one
}

TEST_F(WatcherTest, AFileWrittenInPlaceLosesWhatWasProbed) {
  Restart(milliseconds(0));
  Start(7);
  Begin(7);
  tree_.AddFile("library", "decodable, newer");
  Start(8);
  Begin(8);
  EXPECT_EQ(prober_.attempts, 2);
  EXPECT_EQ(prober_.attached, 1);
  EXPECT_EQ(Gauge("decoded"), 1);
  Happens(ProcessChange::kExit, 8);
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(prober_.attached, 1);  // process 7 uses it still
  Happens(ProcessChange::kExit, 7);
  EXPECT_TRUE(Becomes([this] { return prober_.attached == 0; }));
}

// The number of a device is given to the next container when one is gone.
TEST_F(WatcherTest, AnotherFileOfTheSameNamesLeavesTheProbesOfOthersAlone) {
  Start(7);
  tree_.AddProcess(8, "/srv/app");
  tree_.Map(8, "/lib/libssl.so.3", 50, library_, "00:2b");
  Begin(7);
  Begin(8);
  Happens(ProcessChange::kExit, 7);
  tree_.AddProcess(9, "/srv/app");
  tree_.Map(9, "/lib/libssl.so.3", 50, tree_.AddFile("other", "decodable, but another"));
  Begin(9);
  EXPECT_EQ(prober_.attached, 2);
}

TEST_F(WatcherTest, ANumberThatIsUsedAgainIsAnotherFile) {
  tree_.AddProcess(7, "/srv/app");
  tree_.Map(7, "/srv/app", 50, tree_.AddFile("app", "nothing"));
  Begin(7);
  Happens(ProcessChange::kExit, 7);
  Start(8);  // inode 50 again
  Begin(8);
  EXPECT_EQ(prober_.attached, 1);
}

TEST_F(WatcherTest, ANumberThatIsUsedAgainInTheSameProcessIsAnotherFile) {
  tree_.AddProcess(7, "/srv/app");
  tree_.Map(7, "/srv/plugin", 50, tree_.AddFile("plugin", "nothing"));
  Begin(7);
  tree_.AddProcess(7, "/srv/app");  // as it is now
  tree_.Map(7, "/srv/plugin", 50, library_);
  watcher_->OnMapped({.tgid = 7, .inode = 50});
  watcher_->Settle();
  EXPECT_EQ(prober_.attached, 1);
}

// Containers of one image have the same file under devices of their own; the probes are its own.
TEST_F(WatcherTest, OneFileSeenThroughSeveralMountsIsProbedOnce) {
  Start(7);
  tree_.AddProcess(8, "/srv/app");
  tree_.Map(8, "/lib/libssl.so.3", 50, library_, "00:2b");
  Begin(7);
  Begin(8);
  EXPECT_EQ(prober_.attempts, 1);
  EXPECT_EQ(Gauge("decoded"), 1);
}

TEST_F(WatcherTest, WhatCannotBeDecodedIsNamedOncePerFile) {
  const std::string file = tree_.AddFile("libjvm.so", "undecodable");
  for (const uint32_t tgid : {7U, 8U, 9U}) {
    tree_.AddProcess(tgid, "/usr/bin/java");
    tree_.Map(tgid, "/opt/libjvm.so", 60, file);
    Begin(tgid);
  }
  EXPECT_EQ(Logged("/opt/libjvm.so: jvm: seen, not decoded, because its code is made at run time"),
            1U);
  EXPECT_EQ(Gauge("undecoded"), 1);
  EXPECT_EQ(prober_.attempts, 0);
  EXPECT_THAT(prober_.plain, ::testing::IsEmpty());
}

TEST_F(WatcherTest, AnUndecodedLibraryIsCountedWhileItIsUsed) {
  Restart(milliseconds(0));
  tree_.AddProcess(7, "/usr/bin/java");
  tree_.Map(7, "/opt/libjvm.so", 60, tree_.AddFile("libjvm.so", "undecodable"));
  Begin(7);
  EXPECT_EQ(Gauge("undecoded"), 1);
  Happens(ProcessChange::kExit, 7);
  EXPECT_TRUE(Becomes([this] { return Gauge("undecoded") == 0; }));
}

TEST_F(WatcherTest, ProbesThatTheKernelRefusesAreNamedAndCounted) {
  prober_.failure = absl::PermissionDeniedError("cannot attach uprobes");
  for (const uint32_t tgid : {7U, 8U}) {
    Start(tgid);
    Begin(tgid);
  }
  EXPECT_EQ(prober_.attempts, 1);
  EXPECT_EQ(Gauge("undecoded"), 1);
  EXPECT_EQ(Gauge("decoded"), 0);
  EXPECT_EQ(Logged("pid 7: /lib/libssl.so.3: openssl: seen, not decoded, because cannot attach"),
            1U);
  EXPECT_EQ(Logged("not decoded"), 1U);
}

TEST_F(WatcherTest, WhatIsExpectedIsProbedBeforeThereIsAUser) {
  watcher_->Expect({library_, tree_.root() + "/missing", tree_.root(), "/dev/null"});
  EXPECT_EQ(prober_.attached, 1);
  Start(7);
  Begin(7);
  EXPECT_EQ(prober_.attempts, 1);
}

TEST_F(WatcherTest, WhatIsExpectedInVainIsLetGo) {
  Restart(milliseconds(0));
  watcher_->Expect({library_});
  EXPECT_TRUE(Becomes([this] { return prober_.attached == 0; }));
}

// Loaded at run time, it is used within milliseconds of its first touch.
TEST_F(WatcherTest, WhatAnInterpreterMayLoadIsProbedFromItsStart) {
  Restart(milliseconds(0));
  tree_.proc().Add({.pid = 7,
                    .exe = "/usr/bin/python3.11",
                    .args = {"python", "app.py"},
                    .env = {"PATH=/bin:/venv/bin"}});
  tree_.SetMaps(7, "");
  const std::string packages = "7/root/venv/lib/python3.11/site-packages/";
  tree_.proc().Write("7/root/venv/bin/python", "");
  std::filesystem::permissions(tree_.root() + "/7/root/venv/bin/python",
                               std::filesystem::perms::owner_all);
  tree_.proc().Write(packages + "pycurl.libs/libssl-1.so.3", "decodable");
  // A link of the process's file system leads to its files, not to ours.
  std::filesystem::create_directories(tree_.root() + "/7/root/lib64");
  std::filesystem::create_symlink(library_, tree_.root() + "/7/root/lib64/libssl.so.3");
  Begin(7);
  EXPECT_EQ(prober_.attempts, 1);
  EXPECT_EQ(prober_.attached, 1);
  std::this_thread::sleep_for(milliseconds(30));  // idle checks: it has a user
  EXPECT_EQ(prober_.attached, 1);
  Happens(ProcessChange::kExit, 7);
  EXPECT_TRUE(Becomes([this] { return prober_.attached == 0; }));
}

TEST_F(WatcherTest, AProgramIsNotExpectedToLoadLibraries) {
  tree_.AddProcess(7, "/srv/app");
  tree_.proc().Write("7/root/usr/lib64/libssl.so.3", "decodable");
  Begin(7);
  EXPECT_EQ(prober_.attempts, 0);
}

TEST_F(WatcherTest, ItsEndTakesAllProbesOut) {
  Start(7);
  Begin(7);
  watcher_.reset();
  EXPECT_EQ(prober_.attached, 0);
}

// The command of `sonde run` before its exec.
TEST_F(WatcherTest, ACopyOfThisProgramIsNotLookedAt) {
  tree_.AddProcess(7, std::filesystem::read_symlink("/proc/self/exe").string());
  tree_.Map(7, "/lib/libssl.so.3", 50, library_);
  Begin(7);
  EXPECT_EQ(prober_.attempts, 0);
}

// Their Parkers begin at a multiple of 8, here 88 to 96 bytes before the futex.
TEST_F(WatcherTest, SomeProbesWaitUntilTheyAreDemanded) {
  Restart(milliseconds(0));
  tree_.AddProcess(7, "/srv/go");
  tree_.Map(7, "/srv/go", 61, tree_.AddFile("go", "demanding"));
  Begin(7);
  Happens(ProcessChange::kFork, 8, 7);
  watcher_->Demand(6);  // nobody knows it
  watcher_->Settle();
  EXPECT_EQ(prober_.attached, 0);
  watcher_->Demand(8);
  watcher_->Demand(7);
  watcher_->Settle();
  EXPECT_EQ(prober_.attached, 1);
  EXPECT_EQ(Logged("pid 8: go: probed where one execution makes another"), 1);
  watcher_->End(7);
  watcher_->End(8);
  EXPECT_TRUE(Becomes([this] { return prober_.attached == 0; }));
}

TEST_F(WatcherTest, ThreadsThatWaitAlreadyAreLookedUp) {
  tree_.AddProcess(7, "/usr/bin/java");
  tree_.Map(7, "/usr/lib/libjvm.so", 60, tree_.AddFile("libjvm", "hotspot"));
  tree_.proc().Write("7/task/8/syscall", std::to_string(SYS_futex) + " 0x7f000000105c 0x189 0x0\n");
  tree_.proc().Write("7/task/9/syscall", std::to_string(SYS_futex) + " 0x20 0x189 0x0\n");
  Begin(7);
  EXPECT_THAT(prober_.parkers, ElementsAre(Pair(0x7f0000001000, 8)));
}

TEST_F(WatcherTest, AProcessThatIsGoneIsHarmless) {
  Begin(7);
  Happens(ProcessChange::kExec, 7);
  Happens(ProcessChange::kExit, 7);
  Happens(ProcessChange::kExit, 7);
  EXPECT_EQ(prober_.attempts, 0);
}

}  // namespace
}  // namespace sonde::tls
