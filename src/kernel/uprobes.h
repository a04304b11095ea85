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
#include "sonde/probe/prober.h"
#include "sonde/probe/tls.h"

namespace sonde::kernel {

class Uprobes final : public probe::Prober {
 public:
  // `tls` is the loaded family.
  static Result<std::unique_ptr<Uprobes>> Create(const LoadedFamily& tls,
                                                 std::shared_ptr<SharedMaps> maps);

  Result<std::unique_ptr<Attachment>> Attach(int file,
                                             std::span<const probe::TlsPoint> points) override;
  void MarkPlain(uint64_t inode, uint32_t device) override;

  bool sessions() const { return session_.valid(); }

 private:
  class Links;  // the attachment

  explicit Uprobes(std::shared_ptr<SharedMaps> maps) : maps_(std::move(maps)) {}
  // -1: all are taken.
  int TakeSlot();
  void GiveSlots(const std::vector<uint32_t>& slots);
  Status Link(int program, uint32_t attach_type, int file, std::vector<uint64_t> offsets,
              std::vector<uint64_t> cookies, bool at_return, Links& links) const;

  std::shared_ptr<SharedMaps> maps_;
  FileDescriptor text_;
  FileDescriptor session_;  // invalid: the kernel has none
  FileDescriptor enter_;
  FileDescriptor leave_;
  uint32_t multi_type_ = 0;  // of the running kernel's enum bpf_attach_type
  uint32_t session_type_ = 0;
  std::mutex mutex_;
  std::vector<bool> taken_;
};

}  // namespace sonde::kernel
