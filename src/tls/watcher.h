// SPDX-License-Identifier: Apache-2.0
// Finds the TLS libraries and language runtimes of traced processes and keeps them probed as long
// as a traced process uses them. Reading files and attaching take milliseconds, so both are done on
// a thread of its own; the drain thread only tells what happened to processes.
//
//   process traced, exec   its mapped files are looked at; again a moment later where the kernel
//                          does not report mappings. What an interpreter may load at run time
//                          counts as used by it
//   file touched           the same, at once
//   fork                   the child uses what its parent does
//   exit, released         its files lose a user; without users for a while they are let go
//
// A file is inspected and probed once for all processes. It is known by its inode number, size and
// time of change, not by its device: an overlay shows a file of its lower layer under another
// device, and what is probed is the file beneath. Probed twice, every text would be seen twice.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <sys/stat.h>

#include <chrono>
#include <compare>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "kernel/file_descriptor.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/probe/prober.h"
#include "sonde/probe/runtime.h"
#include "tls/inspect.h"
#include "tls/mapped_files.h"

namespace sonde::tls {

class Watcher {
 public:
  struct Options {
    std::string proc = "/proc";
    // The kernel tells when a process touches a file: nothing is looked at by timer.
    bool mappings_are_reported = true;
    bool hot_wakes = false;  // also what is on a hot path (probe::RuntimePointUse::kOptIn)
    std::chrono::milliseconds linger{30'000};     // of probes without a user
    std::chrono::milliseconds idle_check{1'000};  // for those that lingered long enough
    std::function<Inspection(int file)> inspect = InspectFile;
  };

  // `prober` and `metrics` outlive it.
  Watcher(probe::Prober& prober, Options options, MetricRegistry& metrics);
  // Takes all probes out.
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // A process became traced, or is no longer.
  void Begin(uint32_t tgid);
  void End(uint32_t tgid);
  // A traced process touched a file that it had not touched before.
  void OnMapped(const MappedEvent& event);
  // After discovery decided: `event.traced` is its answer.
  void OnProcess(const ProcessEvent& event);
  // Probes files that a process will use soon; they are let go like any other if none does. Waits.
  void Expect(const std::vector<std::string>& paths);
  // Calls of this process can only be linked by what is probed on demand.
  void Demand(uint32_t tgid);
  // Any thread. The version of its language's runtime, as the runtime itself would say it
  // ("3.11.2", "20.19.2"), where the file it has mapped tells; "" if not known.
  std::string RuntimeVersion(uint32_t tgid);
  // Processes of which it became known.
  std::vector<uint32_t> TakeRuntimes();
  // Until everything told so far is done; for tests and for the start of sonde.
  void Settle();

 private:
  using Clock = std::chrono::steady_clock;
  struct Task {
    enum class Kind : uint8_t { kLook, kShare, kEnd, kExpect, kDemand } kind = Kind::kLook;
    uint32_t tgid = 0;
    uint32_t parent = 0;                  // kShare
    std::vector<std::string> paths = {};  // kExpect
    std::vector<uint64_t> touched = {};   // kLook: inodes, looked at anew
    Clock::time_point due;
  };
  struct Load {
    uint32_t tgid = 0;
    std::string path;  // as it sees it
  };
  // What an overlay and the layers beneath it say alike. Overlays may keep a number of their layer
  // in the highest bits of an inode's (Documentation/filesystems/overlayfs.rst, xino).
  struct Content {
    uint64_t inode = 0;
    int64_t bytes = 0;
    int64_t changed_ns = 0;
    friend auto operator<=>(const Content&, const Content&) = default;
  };
  struct File {
    Inspection found;
    std::unique_ptr<probe::Prober::Attachment> attachment;
    std::unique_ptr<probe::Prober::Attachment> runtime;
    std::unique_ptr<probe::Prober::Attachment> once;      // until every user was met
    std::unique_ptr<probe::Prober::Attachment> demanded;  // from when a user needs it
    kernel::FileDescriptor probed;  // the file, while it is or may be: tells if it is written to
    absl::flat_hash_set<uint32_t> users;
    Clock::time_point idle_since;
    bool counted = false;  // in the gauge
  };
  struct Process {
    absl::flat_hash_set<FileId> looked;  // at these already
    std::set<Content> uses;              // those with a TLS library or a runtime
    std::string_view runtime;            // whose executions are read
  };

  struct Used {  // by a process that is looked at, and of interest
    MappedFile mapped;
    kernel::FileDescriptor opened;
    File* file = nullptr;
  };

  void Tell(Task task);
  bool JoinsPending(const Task& task);
  void Run();
  std::vector<Task> TakeDue(Clock::time_point now);
  void Do(const Task& task);
  void Look(uint32_t tgid, const std::vector<uint64_t>& touched = {});
  void Share(uint32_t tgid, uint32_t parent);
  void Use(uint32_t tgid, MappedFile& mapped, std::vector<Used>& used);
  void Prepare(const std::string& path);
  void ExpectLoads(uint32_t tgid);
  void DoNextLoad();
  // The file, inspected if it is new and probed if it can be; null: it has nothing of interest.
  // `place` names it in messages.
  File* Know(const Content& content, int opened, const std::string& place);
  static Content ContentOf(const struct stat& status);
  void TakeOver(const Content& content, File& file);
  void Want(File& file, int opened, const std::string& place);
  void Refuse(const File& file, const std::string& place);
  void WantRuntime(File& file, int opened, const std::string& place);
  std::unique_ptr<probe::Prober::Attachment> AttachRuntime(File& file, int opened,
                                                           const std::string& place,
                                                           probe::RuntimePointUse use);
  void AttachDemanded(uint32_t tgid);
  void ReadParked(uint32_t tgid, const probe::RuntimePlan& plan);
  void ReadExecutions(uint32_t tgid, const MappedFile& mapped, const File& file);
  void NoteVersion(uint32_t tgid, std::string version);
  bool AllWereMet(const File& file) const;
  void TakeOutOnce(File& file);
  void LoseUser(uint32_t tgid);
  void LetGo(Clock::time_point now);
  static bool IsDeleted(const kernel::FileDescriptor& file);
  void Release(File& file);
  void Count(const File& file, int change);

  probe::Prober& prober_;
  const Options options_;
  MetricRegistry& metrics_;

  // Worker thread only.
  std::map<Content, File> files_;
  std::set<Content> plain_;                           // files that have nothing of interest: most
  absl::flat_hash_map<uint32_t, Process> processes_;  // traced ones
  std::deque<Load> loads_;  // that may come, one at a time: what is touched meanwhile goes first

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable settled_;
  std::vector<Task> tasks_;
  absl::flat_hash_map<uint32_t, std::string> versions_;  // of traced processes' runtimes
  std::vector<uint32_t> new_versions_;
  bool busy_ = false;
  bool stop_ = false;
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace sonde::tls
