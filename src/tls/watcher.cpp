// SPDX-License-Identifier: Apache-2.0
#include "tls/watcher.h"

#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <ranges>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "kernel/file_descriptor.h"
#include "sonde/abi/runtime.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/process.h"
#include "sonde/probe/prober.h"
#include "sonde/probe/runtime.h"
#include "sonde/probe/tls.h"
#include "tls/futex_waits.h"
#include "tls/inspect.h"
#include "tls/likely_files.h"
#include "tls/mapped_files.h"

namespace sonde::tls {
namespace {

// Where mappings are not reported: libraries are mapped by then, or are loaded later still.
constexpr std::chrono::milliseconds kLookAgain[] = {
    std::chrono::milliseconds(20), std::chrono::milliseconds(200), std::chrono::milliseconds(1000)};
// What of an inode's number overlays leave to the layer beneath.
constexpr uint64_t kInodeMask = (1ULL << 56U) - 1;
// Files remembered; beyond, those that nothing uses are forgotten.
constexpr size_t kMaxFiles = 8192;

constexpr char kLibraries[] = "sonde_tls_libraries";
constexpr char kLibrariesHelp[] =
    "Files with a TLS library that traced processes use or may load, by library and whether it is "
    "decoded.";

// Of the runtimes of languages; tokio and HAProxy are none. Node writes v20.19.2 where
// process.versions says 20.19.2.
std::string LanguageVersion(const Inspection& found) {
  std::string version = found.runtime_plan.version;
  switch (found.runtime_kind) {
    case SONDE_RUNTIME_NODE:
      if (version.starts_with('v')) version.erase(0, 1);
      return version;
    case SONDE_RUNTIME_PYTHON:
    case SONDE_RUNTIME_JAVA:
    case SONDE_RUNTIME_RUBY:
      return version;
    default:
      return {};
  }
}

}  // namespace

Watcher::Watcher(probe::Prober& prober, Options options, MetricRegistry& metrics)
    : prober_(prober),
      options_(std::move(options)),
      metrics_(metrics),
      thread_([this] { Run(); }) {}

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
  for (const auto delay : kLookAgain) {
    Tell({.kind = Task::Kind::kLook, .tgid = tgid, .due = now + delay});
  }
}

// The number of an inode comes again when its file is deleted: what it was is forgotten.
void Watcher::OnMapped(const MappedEvent& event) {
  Tell({.kind = Task::Kind::kLook,
        .tgid = event.tgid,
        .touched = {event.inode & kInodeMask},
        .due = Clock::now()});
}

void Watcher::Expect(const std::vector<std::string>& paths) {
  Tell({.kind = Task::Kind::kExpect, .paths = paths, .due = Clock::now()});
  Settle();
}

void Watcher::Demand(uint32_t tgid) {
  Tell({.kind = Task::Kind::kDemand, .tgid = tgid, .due = Clock::now()});
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
    if (JoinsPending(task)) return;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

// A program that starts touches dozens of files: one look for all that came meanwhile.
bool Watcher::JoinsPending(const Task& task) {
  if (task.kind != Task::Kind::kLook || task.due > Clock::now()) return false;
  for (Task& other : std::views::reverse(tasks_)) {
    if (other.tgid != task.tgid) continue;
    if (other.kind == Task::Kind::kEnd) return false;  // before an exec
    if (other.kind != Task::Kind::kLook || other.due > task.due) continue;
    other.touched.insert(other.touched.end(), task.touched.begin(), task.touched.end());
    return true;
  }
  return false;
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
  Clock::time_point next_check = Clock::now() + options_.idle_check;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const Clock::time_point now = Clock::now();
    const std::vector<Task> due = TakeDue(now);
    if (due.empty() && loads_.empty() && now < next_check) {
      Clock::time_point until = next_check;
      for (const Task& task : tasks_) until = std::min(until, task.due);
      settled_.notify_all();
      wake_.wait_until(lock, until);
      continue;
    }
    busy_ = true;
    lock.unlock();
    for (const Task& task : due) Do(task);
    if (due.empty() && !loads_.empty()) DoNextLoad();
    if (now >= next_check) {
      LetGo(now);
      next_check = now + options_.idle_check;
    }
    lock.lock();
    busy_ = false;
  }
}

// In the order in which they were told.
std::vector<Watcher::Task> Watcher::TakeDue(Clock::time_point now) {
  std::vector<Task> due;
  std::vector<Task> later;
  for (Task& task : tasks_) (task.due <= now ? due : later).push_back(std::move(task));
  tasks_ = std::move(later);
  return due;
}

void Watcher::Do(const Task& task) {
  switch (task.kind) {
    case Task::Kind::kLook:
      return Look(task.tgid, task.touched);
    case Task::Kind::kEnd:
      return LoseUser(task.tgid);
    case Task::Kind::kExpect:
      for (const std::string& path : task.paths) Prepare(path);
      return;
    case Task::Kind::kShare:
      return Share(task.tgid, task.parent);
    case Task::Kind::kDemand:
      return AttachDemanded(task.tgid);
  }
}

void Watcher::Share(uint32_t tgid, uint32_t parent) {
  const auto shared = processes_.find(parent);
  if (shared == processes_.end()) return Look(tgid);
  const Process same = shared->second;
  for (const Content& content : same.uses) {
    const auto file = files_.find(content);
    if (file != files_.end()) file->second.users.insert(tgid);
  }
  Process& process = processes_[tgid];
  process.looked.insert(same.looked.begin(), same.looked.end());
  process.uses.insert(same.uses.begin(), same.uses.end());
  process.runtime = same.runtime;
  NoteVersion(tgid, RuntimeVersion(parent));
}

void Watcher::Look(uint32_t tgid, const std::vector<uint64_t>& touched) {
  // The command of `sonde run` before its exec: a copy of sonde, with sonde's own libraries.
  std::error_code error;
  if (std::filesystem::equivalent(options_.proc + "/" + std::to_string(tgid) + "/exe",
                                  "/proc/self/exe", error)) {
    return;
  }
  const auto process = processes_.find(tgid);
  const bool is_new = process == processes_.end();
  if (!is_new) {
    absl::erase_if(process->second.looked, [&touched](const FileId& id) {
      return std::ranges::find(touched, id.inode & kInodeMask) != touched.end();
    });
  }
  std::vector<Used> used;
  for (MappedFile& mapped : ReadMappedFiles(options_.proc, tgid)) Use(tgid, mapped, used);
  // Only now: who is told by one of its files must not miss what another tells.
  for (const Used& each : used) {
    ReadExecutions(tgid, each.mapped, *each.file);
    WantRuntime(*each.file, each.opened.get(), each.mapped.path);
    ReadParked(tgid, each.file->found.runtime_plan);
  }
  if (is_new) ExpectLoads(tgid);
}

// Between the first touch of a library and its first connection is no time to probe it.
void Watcher::ExpectLoads(uint32_t tgid) {
  static const std::string kVariables[] = {"PATH", "PYTHONPATH", "HOME"};
  const ProcessReader reader(options_.proc);
  const auto facts = reader.Read(tgid, kFieldExe | kFieldArgs | kFieldEnv, kVariables);
  if (!facts) return;
  const Language language = reader.Runtime(*facts).language;
  if (language != Language::kPython && language != Language::kRuby) return;
  processes_.try_emplace(tgid);  // a user from now on, whatever it has mapped
  const auto value = [&facts](const std::string& name) {
    const std::string* found = facts->Env(name);
    return found == nullptr ? std::string() : *found;
  };
  const bool by_name = !facts->args.empty() && !facts->args[0].starts_with('.');
  const SearchPaths search = {value("PATH"), value("PYTHONPATH"), value("HOME")};
  for (std::string& path : LikelyLibraries(by_name ? facts->args[0] : facts->exe, search,
                                           absl::StrCat(options_.proc, "/", tgid, "/root"))) {
    loads_.push_back({.tgid = tgid, .path = std::move(path)});
  }
}

void Watcher::DoNextLoad() {
  const Load load = std::move(loads_.front());
  loads_.pop_front();
  const auto process = processes_.find(load.tgid);
  if (process == processes_.end()) return;
  const auto opened = OpenPath(options_.proc, load.tgid, load.path);
  struct stat status = {};
  if (!opened.valid() || fstat(opened.get(), &status) != 0) return;
  const Content content = ContentOf(status);
  File* const file = Know(content, opened.get(), absl::StrCat("pid ", load.tgid, ": ", load.path));
  if (file == nullptr) return;
  file->users.insert(load.tgid);
  process->second.uses.insert(content);
}

void Watcher::Use(uint32_t tgid, MappedFile& mapped, std::vector<Used>& used) {
  const auto process = processes_.find(tgid);
  if (process != processes_.end() && process->second.looked.contains(mapped.id)) return;
  auto opened = OpenMapped(options_.proc, tgid, mapped);
  struct stat status = {};
  if (!opened.valid() || fstat(opened.get(), &status) != 0) return;
  const Content content = ContentOf(status);
  File* const known = Know(content, opened.get(), absl::StrCat("pid ", tgid, ": ", mapped.path));
  processes_[tgid].looked.insert(mapped.id);
  if (known == nullptr) {
    prober_.MarkPlain(mapped.id.inode, mapped.id.device, static_cast<uint64_t>(status.st_size));
    return;
  }
  known->users.insert(tgid);
  processes_[tgid].uses.insert(content);
  used.push_back({.mapped = std::move(mapped), .opened = std::move(opened), .file = known});
}

// Threads that have waited since before the probe that tells their Parkers. Which of the words that
// may be the start of one it is, is not known; the others are nobody's.
void Watcher::ReadParked(uint32_t tgid, const probe::RuntimePlan& plan) {
  constexpr uint64_t kAlignment = 8;
  if (plan.most_parker_bytes == 0) return;
  for (const FutexWait& wait : ReadFutexWaits(options_.proc, tgid)) {
    if (wait.address <= plan.most_parker_bytes) continue;
    const uint64_t last = (wait.address - plan.least_parker_bytes) / kAlignment * kAlignment;
    for (uint64_t at = last; at + plan.most_parker_bytes >= wait.address; at -= kAlignment) {
      prober_.SetParker(tgid, at, wait.tid);
    }
  }
}

// A process that has several (a Python with a library in Rust) is what it was found to be first:
// its executable and what that needs are mapped before what it loads.
void Watcher::ReadExecutions(uint32_t tgid, const MappedFile& mapped, const File& file) {
  Process& process = processes_[tgid];
  if (file.found.runtime.empty() || !process.runtime.empty()) return;
  if (file.found.runtime_kind == SONDE_RUNTIME_NONE) return;  // a part of one
  process.runtime = file.found.runtime;
  NoteVersion(tgid, LanguageVersion(file.found));
  sonde_runtime layout = file.found.runtime_plan.layout;
  if (!file.found.runtime_status.ok()) {
    layout = {};
    layout.kind = file.found.runtime_kind;
    layout.unread = 1;
  }
  if (layout.base != 0) layout.base += mapped.start - file.found.first_address;
  prober_.SetRuntime(tgid, layout);
}

void Watcher::Prepare(const std::string& path) {
  const kernel::FileDescriptor opened(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status = {};
  if (!opened.valid() || fstat(opened.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  Know(ContentOf(status), opened.get(), path);
}

Watcher::Content Watcher::ContentOf(const struct stat& status) {
  return {.inode = status.st_ino & kInodeMask,
          .bytes = status.st_size,
          .changed_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

Watcher::File* Watcher::Know(const Content& content, int opened, const std::string& place) {
  if (plain_.contains(content)) return nullptr;
  const auto [at, is_new] = files_.try_emplace(content);
  File& file = at->second;
  if (is_new) {
    TakeOver(content, file);
    file.found = options_.inspect(opened);
    if (file.found.library.empty() && file.found.runtime.empty()) {
      files_.erase(at);
      if (plain_.size() >= kMaxFiles) plain_.clear();
      plain_.insert(content);
      return nullptr;
    }
    file.idle_since = Clock::now();
    if (!file.found.library.empty() && !file.found.status.ok()) Refuse(file, place);
    if (!file.found.runtime.empty() && !file.found.runtime_status.ok()) {
      spdlog::warn("{}: {}: not linked, because {}", place, file.found.runtime,
                   std::string(file.found.runtime_status.message()));
    }
  }
  if (!file.found.library.empty()) Want(file, opened, place);
  WantRuntime(file, opened, place);
  return &file;
}

void Watcher::WantRuntime(File& file, int opened, const std::string& place) {
  if (file.found.runtime.empty() || !file.found.runtime_status.ok()) return;
  if (file.runtime == nullptr) {
    file.runtime = AttachRuntime(file, opened, place, probe::RuntimePointUse::kAlways);
  }
  const auto has = [&file](probe::RuntimePointUse use) {
    return std::ranges::any_of(
        file.found.runtime_plan.points,
        [use](const probe::RuntimePoint& point) { return point.use == use; });
  };
  if (has(probe::RuntimePointUse::kOnce) && file.once == nullptr && !AllWereMet(file)) {
    file.once = AttachRuntime(file, opened, place, probe::RuntimePointUse::kOnce);
  }
  // What may be probed later must be at hand then.
  if (has(probe::RuntimePointUse::kOnDemand) && !file.probed.valid()) {
    file.probed = kernel::FileDescriptor::DuplicateOf(opened);
  }
}

// A probe has found in every user what it was there for.
bool Watcher::AllWereMet(const File& file) const {
  return std::ranges::all_of(file.users, [this](uint32_t user) {
    const auto runtime = prober_.RuntimeOf(user);
    return !runtime || runtime->base != 0;
  });
}

// Of those that are probed together: what the operator asked for is as good as always.
std::unique_ptr<probe::Prober::Attachment> Watcher::AttachRuntime(File& file, int opened,
                                                                  const std::string& place,
                                                                  probe::RuntimePointUse use) {
  const probe::RuntimePlan& plan = file.found.runtime_plan;
  std::vector<probe::RuntimePoint> points;
  for (const probe::RuntimePoint& point : plan.points) {
    const bool chosen = point.use == probe::RuntimePointUse::kOptIn && options_.hot_wakes;
    if ((chosen ? probe::RuntimePointUse::kAlways : point.use) != use) continue;
    points.push_back(point);
    spdlog::debug("{}: {} at {}", place, file.found.runtime, point.where);
  }
  if (points.empty()) return nullptr;
  auto attachment = prober_.Attach(opened, plan.layout, points);
  if (attachment.ok()) {
    if (!file.probed.valid()) file.probed = kernel::FileDescriptor::DuplicateOf(opened);
    return *std::move(attachment);
  }
  spdlog::warn("{}: {}: linked in part, because {}", place, file.found.runtime,
               std::string(attachment.status().message()));
  file.found.runtime_plan.points.clear();  // not tried again
  return nullptr;
}

void Watcher::AttachDemanded(uint32_t tgid) {
  const auto process = processes_.find(tgid);
  if (process == processes_.end()) return;
  for (const Content& content : process->second.uses) {
    const auto at = files_.find(content);
    if (at == files_.end()) continue;
    File& file = at->second;
    if (file.demanded != nullptr || !file.probed.valid()) continue;
    const std::string place = absl::StrCat("pid ", tgid);
    file.demanded =
        AttachRuntime(file, file.probed.get(), place, probe::RuntimePointUse::kOnDemand);
    if (file.demanded == nullptr) continue;
    spdlog::info("{}: {}: probed where one execution makes another, because calls need it", place,
                 file.found.runtime);
  }
}

void Watcher::TakeOutOnce(File& file) {
  if (file.once != nullptr && !file.users.empty() && AllWereMet(file)) file.once.reset();
}

// A file that was written to while it is probed is not what it was: its breakpoints would end up in
// other instructions.
void Watcher::TakeOver(const Content& content, File& file) {
  const auto first = files_.lower_bound({.inode = content.inode, .bytes = INT64_MIN});
  for (auto at = first; at != files_.end() && at->first.inode == content.inode; ++at) {
    struct stat status = {};
    if (!at->second.probed.valid() || fstat(at->second.probed.get(), &status) != 0 ||
        ContentOf(status) == at->first) {
      continue;
    }
    for (const uint32_t user : at->second.users) processes_[user].uses.insert(content);
    file.users.merge(at->second.users);
    at->second.users.clear();
    Release(at->second);
  }
}

void Watcher::Refuse(const File& file, const std::string& place) {
  spdlog::warn("{}: {}: seen, not decoded, because {}", place, file.found.library,
               std::string(file.found.status.message()));
}

void Watcher::Want(File& file, int opened, const std::string& place) {
  const probe::TlsPlan& plan = file.found.plan;
  if (file.found.status.ok() && file.attachment == nullptr) {
    auto attachment = prober_.Attach(opened, plan.points);
    if (attachment.ok()) {
      file.attachment = *std::move(attachment);
      file.probed = kernel::FileDescriptor::DuplicateOf(opened);
      for (const probe::TlsPoint& point : plan.points) {
        spdlog::debug("{}: {} at {}", place, file.found.library, point.where);
      }
      if (!plan.remark.empty()) spdlog::info("{}: {}", place, plan.remark);
    } else {
      file.found.status = attachment.status();
      Refuse(file, place);
    }
  }
  if (file.counted) return;
  file.counted = true;
  Count(file, 1);
}

void Watcher::LoseUser(uint32_t tgid) {
  const auto process = processes_.find(tgid);
  if (process == processes_.end()) return;
  for (const Content& content : process->second.uses) {
    const auto file = files_.find(content);
    if (file == files_.end() || file->second.users.erase(tgid) == 0) continue;
    if (file->second.users.empty()) file->second.idle_since = Clock::now();
  }
  processes_.erase(process);
  const std::scoped_lock lock(mutex_);
  versions_.erase(tgid);
}

void Watcher::NoteVersion(uint32_t tgid, std::string version) {
  if (version.empty()) return;
  const std::scoped_lock lock(mutex_);
  versions_[tgid] = std::move(version);
  new_versions_.push_back(tgid);
}

std::string Watcher::RuntimeVersion(uint32_t tgid) {
  const std::scoped_lock lock(mutex_);
  const auto found = versions_.find(tgid);
  return found == versions_.end() ? std::string() : found->second;
}

std::vector<uint32_t> Watcher::TakeRuntimes() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(new_versions_, {});
}

void Watcher::LetGo(Clock::time_point now) {
  for (auto at = files_.begin(); at != files_.end();) {
    File& file = at->second;
    TakeOutOnce(file);
    const bool idle = file.users.empty() && now - file.idle_since >= options_.linger;
    // What is deleted nobody will load any more. The rest is remembered: to inspect it takes time.
    const bool forget = idle && IsDeleted(file.probed);
    if (idle) Release(file);
    at = forget ? files_.erase(at) : std::next(at);
  }
  if (files_.size() <= kMaxFiles) return;
  std::erase_if(files_, [](const auto& entry) {
    return entry.second.users.empty() && !entry.second.counted;
  });
}

bool Watcher::IsDeleted(const kernel::FileDescriptor& file) {
  struct stat status = {};
  return file.valid() && fstat(file.get(), &status) == 0 && status.st_nlink == 0;
}

void Watcher::Release(File& file) {
  file.attachment.reset();
  file.runtime.reset();
  file.once.reset();
  file.demanded.reset();
  file.probed = {};
  if (!file.counted) return;
  file.counted = false;
  Count(file, -1);
}

void Watcher::Count(const File& file, int change) {
  metrics_
      .AddGauge(kLibraries, kLibrariesHelp,
                {{"library", std::string(file.found.library)},
                 {"state", file.found.status.ok() ? "decoded" : "undecoded"}})
      .Add(change);
}

}  // namespace sonde::tls
