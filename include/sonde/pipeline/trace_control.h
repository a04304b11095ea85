// SPDX-License-Identifier: Apache-2.0
// How discovery tells the kernel side which processes are traced. Drain thread.
#pragma once

#include <cstdint>

#include "sonde/base/result.h"

namespace sonde {

class TraceControl {
 public:
  virtual ~TraceControl() = default;
  // Sets the traced flag: takes effect at the process's next call. Children made from then on
  // inherit it in the kernel. Setting it twice is no error. Fails if there is no room or the
  // process is gone.
  virtual Status Trace(uint32_t tgid) = 0;
  // Removes the flag from this process only, not from its children.
  virtual void Untrace(uint32_t tgid) = 0;
};

}  // namespace sonde
