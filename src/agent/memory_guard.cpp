// SPDX-License-Identifier: Apache-2.0
#include "agent/memory_guard.h"

#include <fcntl.h>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "sonde/base/memory_level.h"
#include "sonde/base/metrics.h"

namespace sonde::agent {
namespace {

constexpr uint64_t kReadEveryNs = 20'000'000;
constexpr uint64_t kTrimEveryNs = 1'000'000'000;
constexpr size_t kMiB = 1U << 20;

Gauge& Mark(MetricRegistry& metrics, const char* mark) {
  return metrics.AddGauge("sonde_memory_limit_bytes",
                          "Resident memory above which spans are given up, by mark.",
                          {{"mark", mark}});
}

}  // namespace

// The second number of /proc/self/statm, in pages.
size_t ResidentBytes() {
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::array<char, 128> text{};
  const ssize_t n = read(fd, text.data(), text.size());
  close(fd);
  const std::string_view line(text.data(), n > 0 ? static_cast<size_t>(n) : 0);
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return 0;
  size_t pages = 0;
  std::from_chars(line.data() + space + 1, line.data() + line.size(), pages);
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

MemoryGuard::MemoryGuard(size_t limit_bytes, MetricRegistry& metrics,
                         std::function<size_t()> resident)
    : soft_bytes_(limit_bytes / 100 * kSoftPct),
      hard_bytes_(limit_bytes / 100 * kHardPct),
      resident_(std::move(resident)),
      level_gauge_(metrics.AddGauge("sonde_memory_level",
                                    "0: enough memory, 1: above the soft mark, 2: the hard one.")) {
  Mark(metrics, "soft").Set(static_cast<int64_t>(soft_bytes_));
  Mark(metrics, "hard").Set(static_cast<int64_t>(hard_bytes_));
}

MemoryLevel MemoryGuard::LevelOf(size_t bytes) const {
  if (bytes >= hard_bytes_) return MemoryLevel::kHard;
  return bytes >= soft_bytes_ ? MemoryLevel::kSoft : MemoryLevel::kFine;
}

MemoryLevel MemoryGuard::Check(uint64_t mono_ns) {
  if (mono_ns - read_mono_ns_ < kReadEveryNs) return level_;
  read_mono_ns_ = mono_ns;
  size_t bytes = resident_();
  if (bytes >= soft_bytes_ && mono_ns - trimmed_mono_ns_ >= kTrimEveryNs) {
    trimmed_mono_ns_ = mono_ns;
    malloc_trim(0);
    bytes = resident_();
  }
  const MemoryLevel before = std::exchange(level_, LevelOf(bytes));
  level_gauge_.Set(static_cast<int64_t>(level_));
  if (before == MemoryLevel::kFine && level_ != MemoryLevel::kFine) {
    spdlog::warn(
        "{} MiB resident, near sonde.limits.memory: less is held, spans are given up "
        "(memory_limit)",
        bytes / kMiB);
  } else if (before != MemoryLevel::kFine && level_ == MemoryLevel::kFine) {
    spdlog::info("{} MiB resident: enough memory again", bytes / kMiB);
  }
  return level_;
}

}  // namespace sonde::agent
