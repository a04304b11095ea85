// SPDX-License-Identifier: Apache-2.0
#include "tls/watcher.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kernel/uprobes.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
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
    if (task.kind == Task::Kind::kLook && !tasks_.empty() && same(tasks_.back())) return;
    tasks_.push_back(task);
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
    case Task::Kind::kShare: {
      const auto parent = processes_.find(task.parent);
      if (parent == processes_.end()) return Look(task.tgid);
      const std::vector<FileId> shared = parent->second;
      for (const FileId& id : shared) files_[id].users.insert(task.tgid);
      processes_[task.tgid] = shared;
      return;
    }
  }
}

void Watcher::Look(uint32_t tgid) {
  for (const MappedFile& mapped : ReadMappedFiles(options_.proc, tgid)) Use(tgid, mapped);
}

void Watcher::Use(uint32_t tgid, const MappedFile& mapped) {
  std::vector<FileId>& used = processes_[tgid];
  if (std::ranges::find(used, mapped.id) != used.end()) return;
  File* file = Know(tgid, mapped);
  if (file == nullptr || file->found.library.empty()) return;
  file->users.insert(tgid);
  used.push_back(mapped.id);
}

// Inspects the file if it is new, and probes it if it can be. Null: it could not be opened.
Watcher::File* Watcher::Know(uint32_t tgid, const MappedFile& mapped) {
  const auto known = files_.find(mapped.id);
  if (known != files_.end() && known->second.found.library.empty()) return &known->second;
  const auto opened = OpenMapped(options_.proc, tgid, mapped);
  struct stat status = {};
  if (!opened.valid() || fstat(opened.get(), &status) != 0) return nullptr;
  const int64_t changed_ns = status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec;
  File& file = files_[mapped.id];
  if (file.changed_ns != changed_ns) {
    file.changed_ns = changed_ns;
    file.attachment.reset();
    file.found = InspectFile(opened.get());
    if (file.found.library.empty()) {
      uprobes_.MarkPlain(mapped.id.inode, mapped.id.device);
    } else if (!file.found.status.ok()) {
      spdlog::warn("pid {}: {} in {}: seen, not decoded, because {}", tgid, file.found.library,
                   mapped.path, std::string(file.found.status.message()));
      Count("undecoded", file, 1);
    }
  }
  if (!file.found.library.empty() && file.found.status.ok() && file.attachment == nullptr) {
    Attach(file, opened.get(), tgid, mapped.path);
  }
  return &file;
}

void Watcher::Attach(File& file, int opened, uint32_t tgid, const std::string& path) {
  auto attachment = uprobes_.Attach(opened, file.found.plan.points);
  if (!attachment.ok()) {
    file.found.status = attachment.status();
    spdlog::warn("pid {}: {} in {}: seen, not decoded, because {}", tgid, file.found.library, path,
                 std::string(attachment.status().message()));
    Count("undecoded", file, 1);
    return;
  }
  file.attachment = *std::move(attachment);
  Count("decoded", file, 1);
  for (const probe::TlsPoint& point : file.found.plan.points) {
    spdlog::debug("{}: {} at {}", path, file.found.library, point.where);
  }
  if (!file.found.plan.remark.empty()) spdlog::info("{}: {}", path, file.found.plan.remark);
}

void Watcher::LoseUser(uint32_t tgid) {
  const auto process = processes_.find(tgid);
  if (process == processes_.end()) return;
  for (const FileId& id : process->second) {
    File& file = files_[id];
    file.users.erase(tgid);
    if (file.users.empty()) file.idle_since = Clock::now();
  }
  processes_.erase(process);
}

void Watcher::LetGo(Clock::time_point now) {
  for (auto& [id, file] : files_) {
    if (file.attachment == nullptr || !file.users.empty() ||
        now - file.idle_since < options_.linger) {
      continue;
    }
    file.attachment.reset();
    Count("decoded", file, -1);
  }
  if (files_.size() <= kMaxFiles) return;
  std::erase_if(files_, [](const auto& entry) {
    return entry.second.users.empty() && entry.second.attachment == nullptr;
  });
}

void Watcher::Count(const char* state, const File& file, int change) {
  metrics_
      .AddGauge(kLibraries, kLibrariesHelp,
                {{"library", std::string(file.found.library)}, {"state", state}})
      .Add(change);
}

}  // namespace sonde::tls
