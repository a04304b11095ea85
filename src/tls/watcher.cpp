// SPDX-License-Identifier: Apache-2.0
#include "tls/watcher.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "kernel/file_descriptor.h"
#include "kernel/uprobes.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/probe/tls.h"
#include "tls/inspect.h"
#include "tls/mapped_files.h"

namespace sonde::tls {
namespace {

constexpr std::chrono::milliseconds kIdleCheck{1000};
// Where mappings are not reported: libraries are mapped by then, or are loaded later still.
constexpr std::chrono::milliseconds kLookAgain[] = {std::chrono::milliseconds(20),
                                                    std::chrono::milliseconds(200),
                                                    std::chrono::milliseconds(1000)};
// Files remembered; beyond, those that nothing uses are forgotten.
constexpr size_t kMaxFiles = 8192;

constexpr char kLibraries[] = "sonde_tls_libraries";
constexpr char kLibrariesHelp[] =
    "Files with a TLS library that traced processes use, by library and whether it is decoded.";

}  // namespace

Watcher::Watcher(kernel::Uprobes& uprobes, Options options, MetricRegistry& metrics)
    : uprobes_(uprobes), options_(std::move(options)), metrics_(metrics), thread_([this] { Run(); }) {}

Watcher::~Watcher() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Watcher::Begin(uint32_t tgid) {
  const Clock::time_point now = Clock::now();
  Tell({.kind = Task::Kind::kLook, .tgid = tgid, .due = now});
  if (options_.mappings_are_reported) return;
  for (const auto delay : kLookAgain) Tell({.kind = Task::Kind::kLook, .tgid = tgid, .due = now + delay});
}

void Watcher::Expect(const std::vector<std::string>& paths) {
  Tell({.kind = Task::Kind::kExpect, .paths = paths, .due = Clock::now()});
  Settle();
}

void Watcher::End(uint32_t tgid) {
  Tell({.kind = Task::Kind::kEnd, .tgid = tgid, .due = Clock::now()});
}

void Watcher::OnProcess(const ProcessEvent& event) {
  if (event.change == ProcessChange::kExit) return End(event.tgid);
  if (!event.traced) return;
  if (event.change == ProcessChange::kFork) {
    // What is probed in the parent is in the child, too, and need not be touched anew.
    Tell({.kind = Task::Kind::kShare,
          .tgid = event.tgid,
          .parent = event.parent_tgid,
          .due = Clock::now()});
  } else if (event.change != ProcessChange::kListen) {
    if (event.change == ProcessChange::kExec) End(event.tgid);
    Begin(event.tgid);
  }
}

void Watcher::Tell(Task task) {
  {
    const std::scoped_lock lock(mutex_);
    const auto same = [&](const Task& other) {
      return other.kind == Task::Kind::kLook && other.tgid == task.tgid && other.due <= task.due;
    };
    // A program that starts touches dozens of files: one look for all that came meanwhile.
    if (task.kind == Task::Kind::kLook && std::ranges::any_of(tasks_, same)) return;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void Watcher::Settle() {
  std::unique_lock lock(mutex_);
  settled_.wait(lock, [this] {
    const Clock::time_point now = Clock::now();
    return !busy_ &&
           std::ranges::none_of(tasks_, [now](const Task& task) { return task.due <= now; });
  });
}

void Watcher::Run() {
  Clock::time_point next_check = Clock::now() + kIdleCheck;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const Clock::time_point now = Clock::now();
    std::vector<Task> due;
    const auto later = std::ranges::stable_partition(
        tasks_, [now](const Task& task) { return task.due > now; });
    due.assign(later.begin(), later.end());
    tasks_.erase(later.begin(), later.end());
    if (due.empty() && now < next_check) {
      Clock::time_point until = next_check;
      for (const Task& task : tasks_) until = std::min(until, task.due);
      settled_.notify_all();
      wake_.wait_until(lock, until);
      continue;
    }
    busy_ = true;
    lock.unlock();
    for (const Task& task : due) Do(task);
    if (now >= next_check) {
      LetGo(now);
      next_check = now + kIdleCheck;
    }
    lock.lock();
    busy_ = false;
  }
}

void Watcher::Do(const Task& task) {
  switch (task.kind) {
    case Task::Kind::kLook:
      return Look(task.tgid);
    case Task::Kind::kEnd:
      return LoseUser(task.tgid);
    case Task::Kind::kExpect:
      for (const std::string& path : task.paths) Expect(path);
      return;
    case Task::Kind::kShare: {
      const auto parent = processes_.find(task.parent);
      if (parent == processes_.end()) return Look(task.tgid);
      const std::vector<Content> shared = parent->second;
      for (const Content& content : shared) files_[content].users.insert(task.tgid);
      processes_[task.tgid] = shared;
      return;
    }
  }
}

void Watcher::Look(uint32_t tgid) {
  // The command of `sonde run` before its exec: a copy of sonde, with sonde's own libraries.
  std::error_code error;
  if (std::filesystem::equivalent(options_.proc + "/" + std::to_string(tgid) + "/exe",
                                  "/proc/self/exe", error)) {
    return;
  }
  for (const MappedFile& mapped : ReadMappedFiles(options_.proc, tgid)) Use(tgid, mapped);
}

void Watcher::Use(uint32_t tgid, const MappedFile& mapped) {
  const auto name = names_.find(mapped.id);
  if (name != names_.end()) {
    const auto file = files_.find(name->second);
    if (file != files_.end() &&
        (file->second.found.library.empty() || file->second.users.contains(tgid))) {
      return;
    }
  }
  const auto opened = OpenMapped(options_.proc, tgid, mapped);
  struct stat status = {};
  if (!opened.valid() || fstat(opened.get(), &status) != 0) return;
  const Content content = ContentOf(status);
  names_[mapped.id] = content;
  File& file = Know(content, opened.get(), absl::StrCat("pid ", tgid, ": ", mapped.path));
  if (file.found.library.empty()) {
    uprobes_.MarkPlain(mapped.id.inode, mapped.id.device);
  } else if (file.users.insert(tgid).second) {
    processes_[tgid].push_back(content);
  }
}

void Watcher::Expect(const std::string& path) {
  const kernel::FileDescriptor opened(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status = {};
  if (!opened.valid() || fstat(opened.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  Know(ContentOf(status), opened.get(), path);
}

Watcher::Content Watcher::ContentOf(const struct stat& status) {
  constexpr uint64_t kInodeBits = 56;
  return {.inode = status.st_ino & ((1ULL << kInodeBits) - 1),
          .size = status.st_size,
          .changed_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

Watcher::File& Watcher::Know(const Content& content, int opened, const std::string& place) {
  const auto [entry, is_new] = files_.try_emplace(content);
  File& file = entry->second;
  if (is_new) {
    file.found = InspectFile(opened);
    file.idle_since = Clock::now();
    if (!file.found.library.empty() && !file.found.status.ok()) Refuse(file, place);
  }
  if (!file.found.library.empty() && file.found.status.ok() && file.attachment == nullptr) {
    Attach(file, opened, place);
  }
  return file;
}

void Watcher::Refuse(const File& file, const std::string& place) {
  spdlog::warn("{}: {}: seen, not decoded, because {}", place, file.found.library,
               std::string(file.found.status.message()));
  Count("undecoded", file, 1);
}

void Watcher::Attach(File& file, int opened, const std::string& place) {
  auto attachment = uprobes_.Attach(opened, file.found.plan.points);
  if (!attachment.ok()) {
    file.found.status = attachment.status();
    return Refuse(file, place);
  }
  file.attachment = *std::move(attachment);
  Count("decoded", file, 1);
  for (const probe::TlsPoint& point : file.found.plan.points) {
    spdlog::debug("{}: {} at {}", place, file.found.library, point.where);
  }
  if (!file.found.plan.remark.empty()) spdlog::info("{}: {}", place, file.found.plan.remark);
}

void Watcher::LoseUser(uint32_t tgid) {
  const auto process = processes_.find(tgid);
  if (process == processes_.end()) return;
  for (const Content& content : process->second) {
    File& file = files_[content];
    file.users.erase(tgid);
    if (file.users.empty()) file.idle_since = Clock::now();
  }
  processes_.erase(process);
}

void Watcher::LetGo(Clock::time_point now) {
  for (auto& [content, file] : files_) {
    if (file.attachment == nullptr || !file.users.empty() ||
        now - file.idle_since < options_.linger) {
      continue;
    }
    file.attachment.reset();
    Count("decoded", file, -1);
  }
  if (files_.size() + names_.size() <= kMaxFiles) return;
  std::erase_if(files_, [](const auto& entry) {
    return entry.second.users.empty() && entry.second.attachment == nullptr;
  });
  names_.clear();
}

void Watcher::Count(const char* state, const File& file, int change) {
  metrics_
      .AddGauge(kLibraries, kLibrariesHelp,
                {{"library", std::string(file.found.library)}, {"state", state}})
      .Add(change);
}

}  // namespace sonde::tls
