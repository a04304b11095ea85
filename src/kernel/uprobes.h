// SPDX-License-Identifier: Apache-2.0
// Attaches the programs of family `tls` to instructions of a file, and tells them how each is read.
// Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "kernel/file_descriptor.h"
#include "kernel/loaded_family.h"
#include "kernel/shared_maps.h"
#include "sonde/base/result.h"
#include "sonde/probe/tls.h"

namespace sonde::kernel {

class Uprobes {
 public:
  // Probes in one file; its destruction takes them out, which waits for the kernel (milliseconds).
  class Attachment {
   public:
    ~Attachment();
    Attachment(const Attachment&) = delete;
    Attachment& operator=(const Attachment&) = delete;

   private:
    friend class Uprobes;
    explicit Attachment(Uprobes& owner) : owner_(owner) {}
    Uprobes& owner_;
    std::vector<uint32_t> slots_;  // of sonde_tls_probes
    std::vector<FileDescriptor> links_;
  };

  // `tls` is the loaded family.
  static Result<std::unique_ptr<Uprobes>> Create(const LoadedFamily& tls,
                                                 std::shared_ptr<SharedMaps> maps);

  // All points or none, in every process that maps the file, now and later: for processes that are
  // not traced the programs do nothing (docs/adr/0007). `file` stays the caller's. The attachment
  // must not outlive this object.
  Result<std::unique_ptr<Attachment>> Attach(int file, std::span<const probe::TlsPoint> points);
  // A file that holds nothing to probe: the kernel side does not speak of it again.
  void MarkPlain(uint64_t inode, uint32_t device) const;

  bool sessions() const { return session_.valid(); }

 private:
  explicit Uprobes(std::shared_ptr<SharedMaps> maps) : maps_(std::move(maps)) {}
  // -1: all are taken.
  int TakeSlot();
  void GiveSlots(const std::vector<uint32_t>& slots);
  Status Link(int program, uint32_t attach_type, int file, std::vector<uint64_t> offsets,
              std::vector<uint64_t> cookies, bool at_return, Attachment& attachment) const;

  std::shared_ptr<SharedMaps> maps_;
  FileDescriptor text_;
  FileDescriptor session_;  // invalid: the kernel has none
  FileDescriptor enter_;
  FileDescriptor leave_;
  uint32_t multi_type_ = 0;    // of the running kernel's enum bpf_attach_type
  uint32_t session_type_ = 0;
  std::mutex mutex_;
  std::vector<bool> taken_;
};

}  // namespace sonde::kernel
