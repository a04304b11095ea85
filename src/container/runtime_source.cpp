// SPDX-License-Identifier: Apache-2.0
#include "container/runtime_source.h"

#include <absl/status/status.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "container/facts.h"
#include "container/provider.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

const char* ResultName(const Status& status) {
  if (status.ok()) return "found";
  if (absl::IsNotFound(status)) return "not_found";
  return absl::IsUnavailable(status) ? "unreachable" : "malformed";
}

Counter& Dropped(MetricRegistry& metrics, const char* reason) {
  return metrics.AddCounter("sonde_container_dropped_total",
                            "Parts of containers' descriptions that were lost",
                            {{"reason", reason}});
}

}  // namespace

RuntimeSource::RuntimeSource(std::vector<std::unique_ptr<Provider>> providers,
                             MetricRegistry& metrics, Options options)
    : options_(std::move(options)),
      providers_(std::move(providers)),
      metrics_(metrics),
      held_(metrics.AddGauge("sonde_containers", "Containers whose description is known")),
      evicted_(Dropped(metrics, "table_full")),
      cut_(Dropped(metrics, "label_cut")) {
  thread_ = std::thread([this] { Run(); });
  for (const auto& provider : providers_) {
    provider->Watch([this](std::string id) { Want(std::move(id), Clock::now()); });
  }
}

RuntimeSource::~RuntimeSource() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  for (const auto& provider : providers_) provider->Cancel();
  wake_.notify_all();
  thread_.join();
  providers_.clear();  // their threads tell this object of changes
}

std::shared_ptr<const ContainerFacts> RuntimeSource::Container(const Membership& of) {
  if (of.container_id.empty()) return {};
  {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(of.container_id);
    if (found != entries_.end()) {
      found->second.used = ++uses_;
      return found->second.facts;
    }
    MakeRoom();
    Entry& entry = entries_[of.container_id];
    entry.used = ++uses_;
    entry.runtime = of.runtime;
    if (of.runtime == "lxc") {  // its id is its name, and nobody is to be asked
      entry.pending = false;
      ContainerFacts facts;
      facts.id = of.container_id;
      facts.name = of.container_id;
      facts.runtime = of.runtime;
      entry.facts = std::make_shared<const ContainerFacts>(std::move(facts));
      return entry.facts;
    }
  }
  Want(of.container_id, Clock::now());
  return {};
}

Surroundings RuntimeSource::AtAddress(std::string_view address) const {
  Surroundings found;
  const std::scoped_lock lock(mutex_);
  const auto known = at_.find(std::string(address));
  if (known != at_.end()) found.container = known->second;
  return found;
}

// An address belongs to the container that was described with it last.
void RuntimeSource::SetFacts(std::shared_ptr<const ContainerFacts> facts, Entry& entry) {
  if (entry.facts != nullptr) {
    for (const std::string& address : entry.facts->addresses) {
      const auto known = at_.find(address);
      if (known != at_.end() && known->second == entry.facts) at_.erase(known);
    }
  }
  entry.facts = std::move(facts);
  if (entry.facts == nullptr) return;
  for (const std::string& address : entry.facts->addresses) at_[address] = entry.facts;
}

bool RuntimeSource::Pending(const Membership& of) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(of.container_id);
  return found != entries_.end() && found->second.pending;
}

std::vector<std::string> RuntimeSource::TakeChanged() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(changed_, {});
}

void RuntimeSource::Settle(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  settled_.wait_for(lock, at_most, [this] {
    return std::ranges::none_of(entries_, [](const auto& entry) { return entry.second.pending; });
  });
}

// An earlier time replaces a later one.
void RuntimeSource::Want(std::string id, Clock::time_point due) {
  {
    const std::scoped_lock lock(mutex_);
    const auto waiting =
        std::ranges::find_if(tasks_, [&](const Task& task) { return task.id == id; });
    if (waiting != tasks_.end()) {
      waiting->due = std::min(waiting->due, due);
    } else if (tasks_.size() < 2 * options_.max_containers) {
      tasks_.push_back({.id = std::move(id), .due = due});
    } else {
      evicted_.Add();
    }
  }
  wake_.notify_all();
}

void RuntimeSource::MakeRoom() {
  if (entries_.size() < options_.max_containers) return;
  const auto oldest = std::ranges::min_element(
      entries_, [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
  SetFacts(nullptr, oldest->second);
  entries_.erase(oldest);
  evicted_.Add();
}

void RuntimeSource::NoteChanged(const std::string& id) {
  if (std::ranges::find(changed_, id) != changed_.end()) return;
  // Whoever does not take them hears of the latest.
  if (changed_.size() >= options_.max_containers) changed_.erase(changed_.begin());
  changed_.push_back(id);
}

void RuntimeSource::Run() {
  std::unique_lock lock(mutex_);
  auto files_due = Clock::now() + options_.file_check;
  while (!stop_) {
    const auto now = Clock::now();
    const auto next = std::ranges::min_element(
        tasks_, [](const Task& a, const Task& b) { return a.due < b.due; });
    if (next != tasks_.end() && next->due <= now) {
      const std::string id = std::move(next->id);
      tasks_.erase(next);
      lock.unlock();
      id.empty() ? ListRunning() : Do(id);
      lock.lock();
      continue;
    }
    if (files_due <= now) {
      lock.unlock();
      CheckFiles();
      lock.lock();
      files_due = Clock::now() + options_.file_check;
      continue;
    }
    wake_.wait_until(lock, next == tasks_.end() ? files_due : std::min(next->due, files_due));
  }
}

void RuntimeSource::ListRunning() {
  for (const auto& provider : providers_) {
    for (std::string& id : provider->Running()) Want(std::move(id), Clock::now());
  }
}

RuntimeSource::Answer RuntimeSource::Ask(const std::string& id) {
  Answer answer;
  for (const auto& provider : providers_) {
    size_t cut = 0;
    const int64_t stamp = provider->Stamp(id);  // before, so that no change is missed
    auto facts = provider->Find(id, &cut);
    metrics_
        .AddCounter(
            "sonde_container_lookups_total", "Questions about containers, by answer",
            {{"source", std::string(provider->name())}, {"result", ResultName(facts.status())}})
        .Add();
    if (!facts.ok()) continue;
    cut_.Add(cut);
    KeepWanted(options_.wanted_env, facts->env);
    answer.facts = std::make_shared<const ContainerFacts>(*std::move(facts));
    answer.by = provider.get();
    answer.stamp = stamp;
    return answer;
  }
  return answer;
}

void RuntimeSource::Do(const std::string& id) {
  Answer answer = Ask(id);
  auto again = Clock::time_point::max();
  {
    const std::scoped_lock lock(mutex_);
    if (!entries_.contains(id)) {
      if (answer.facts == nullptr) return;  // of an event: gone already
      MakeRoom();
      entries_[id].used = ++uses_;
    }
    Entry& entry = entries_[id];
    if (answer.facts != nullptr) {
      const bool same = entry.facts != nullptr && *entry.facts == *answer.facts;
      if (!same) {
        SetFacts(std::move(answer.facts), entry);
        NoteChanged(id);
      }
      entry.by = answer.by;
      entry.stamp = answer.stamp;
      entry.pending = false;
      entry.tries = 0;
    } else if (entry.facts == nullptr) {
      again = Clock::now() + options_.retries[std::min(entry.tries, options_.retries.size() - 1)];
      ++entry.tries;
      if (entry.pending && entry.tries >= options_.pending_tries) {
        entry.pending = false;
        NoteChanged(id);
      }
    }
    held_.Set(std::ranges::count_if(
        entries_, [](const auto& known) { return known.second.facts != nullptr; }));
  }
  settled_.notify_all();
  if (again != Clock::time_point::max()) Want(id, again);
}

void RuntimeSource::CheckFiles() {
  struct Known {
    std::string id;
    Provider* by;
    int64_t stamp;
  };
  std::vector<Known> known;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, entry] : entries_) {
      if (entry.by != nullptr && entry.stamp != 0) known.push_back({id, entry.by, entry.stamp});
    }
  }
  for (const Known& one : known) {
    const int64_t stamp = one.by->Stamp(one.id);
    if (stamp != 0 && stamp != one.stamp) Want(one.id, Clock::now());
  }
}

}  // namespace sonde::container
