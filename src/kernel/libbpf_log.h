// SPDX-License-Identifier: Apache-2.0
// Takes libbpf's messages: shown at debug level only, and kept so that a failure can say what
// libbpf said.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace sonde::kernel {

// Collects this thread's libbpf messages while it lives; outside, they go to the debug log only.
// Not nested.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  // The first warning, one line, with the verifier's reason: what went wrong first is it.
  const std::string& FirstWarning() const { return first_warning_; }

  // Instructions that the verifier walked through, by program: of those that were loaded with
  // kernel_log_level kStatistics.
  using Costs = std::map<std::string, uint64_t>;
  const Costs& VerifierCosts() const { return costs_; }

  static constexpr uint32_t kStatistics = 4;  // BPF_LOG_STATS of the kernel

  // One of libbpf's messages.
  void NoteDebug(std::string_view text);
  void NoteWarning(std::string_view text);

 private:
  std::string first_warning_;
  bool reason_known_ = false;
  Costs costs_;
};

}  // namespace sonde::kernel
