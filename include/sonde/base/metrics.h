// SPDX-License-Identifier: Apache-2.0
// Self-metrics. A stage asks the registry for its counters when it is created and keeps references:
// an increment is one relaxed atomic add. The admin endpoint and the OTLP metrics exporter read a
// snapshot from their own threads.
//
// Names and labels are the contract (docs/reference/metrics.md); every drop has a counter with a
// `reason`.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace sonde {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// Monotonic count. Any thread may add and read.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// A value that goes up and down. Any thread may set and read.
class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

enum class MetricType { kCounter, kGauge };

struct MetricSample {
  MetricLabels labels;
  double value = 0;
};

struct MetricFamily {
  std::string name;
  std::string help;
  MetricType type = MetricType::kCounter;
  std::vector<MetricSample> samples;
};

// Owns every metric for the life of the process. Thread-safe. Asking twice for the same name and
// labels gives the same object, so two stages may share a counter.
class MetricRegistry {
 public:
  Counter& AddCounter(const std::string& name, const std::string& help, MetricLabels labels = {});
  Gauge& AddGauge(const std::string& name, const std::string& help, MetricLabels labels = {});
  // Read at snapshot time, from the thread that takes the snapshot: for values that live elsewhere
  // (kernel, /proc).
  void AddCallback(const std::string& name, const std::string& help, MetricType type,
                   std::function<std::vector<MetricSample>()> read);
  std::vector<MetricFamily> Snapshot() const;

 private:
  struct Family {
    std::string name;
    std::string help;
    MetricType type;
    std::deque<std::pair<MetricLabels, Counter>> counters;  // deque: references stay valid
    std::deque<std::pair<MetricLabels, Gauge>> gauges;
    std::vector<std::function<std::vector<MetricSample>()>> readers;
  };
  Family& FamilyFor(const std::string& name, const std::string& help, MetricType type);

  mutable std::mutex mutex_;
  std::deque<Family> families_;
};

}  // namespace sonde
