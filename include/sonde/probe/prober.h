// SPDX-License-Identifier: Apache-2.0
// Puts probes into files, and tells where runtimes keep who is at work: the edge between src/tls,
// which knows where, and src/kernel, which can.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "sonde/abi/runtime.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"
#include "sonde/probe/tls.h"

namespace sonde::probe {

class Prober {
 public:
  // Probes in one file; its destruction takes them out, which waits for the kernel (milliseconds).
  class Attachment {
   public:
    Attachment() = default;
    virtual ~Attachment() = default;
    Attachment(const Attachment&) = delete;
    Attachment& operator=(const Attachment&) = delete;
  };

  Prober() = default;
  virtual ~Prober() = default;
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  // All points or none, in every process that maps the file, now and later: for processes that are
  // not traced the programs do nothing (docs/adr/0007). `file` stays the caller's. The attachment
  // must not outlive this object.
  virtual Result<std::unique_ptr<Attachment>> Attach(int file,
                                                     std::span<const TlsPoint> points) = 0;
  // The same for a runtime's points. `layout` is the file's, without base.
  virtual Result<std::unique_ptr<Attachment>> Attach(int file, const sonde_runtime& layout,
                                                     std::span<const RuntimePoint> points) = 0;
  // From now on, and until its next exec, the executions of this traced process are read. Children
  // inherit it.
  virtual void SetRuntime(uint32_t tgid, const sonde_runtime& runtime) = 0;
  // As it stands: a probe may have found the base meanwhile. Empty: none is set.
  virtual std::optional<sonde_runtime> RuntimeOf(uint32_t tgid) const = 0;
  // A thread of a traced process waits in this Parker of hotspot, or in none: then it is not looked
  // up. What a probe has seen stays.
  virtual void SetParker(uint32_t tgid, uint64_t parker, uint32_t tid) = 0;
  // A file of this size that holds nothing to probe: the kernel side does not speak of it again.
  virtual void MarkPlain(uint64_t inode, uint32_t device, uint64_t bytes) = 0;
};

}  // namespace sonde::probe
