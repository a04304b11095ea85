// SPDX-License-Identifier: Apache-2.0
// Puts probes into files: the edge between src/tls, which knows where, and src/kernel, which can.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "sonde/base/result.h"
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
  // A file that holds nothing to probe: the kernel side does not speak of it again.
  virtual void MarkPlain(uint64_t inode, uint32_t device) = 0;
};

}  // namespace sonde::probe
