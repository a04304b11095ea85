// SPDX-License-Identifier: Apache-2.0
// Takes libbpf's messages: shown at debug level only, and kept so that a failure can say what
// libbpf said.
#pragma once

#include <string>

namespace sonde::kernel {

// Collects this thread's libbpf messages while it lives; outside, they go to the debug log only.
// Not nested.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  // The first warning, one line: what went wrong first is the reason.
  std::string FirstWarning() const;
};

}  // namespace sonde::kernel
