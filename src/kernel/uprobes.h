// SPDX-License-Identifier: Apache-2.0
// Attaches the programs of the families `tls` and `runtime` to instructions of a file, tells them
// how each is read, and where a process's runtime keeps who is at work. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "kernel/file_descriptor.h"
#include "kernel/loaded_family.h"
#include "kernel/shared_maps.h"
#include "kernel/uprobe_link.h"
#include "sonde/base/result.h"
#include "sonde/probe/prober.h"
#include "sonde/probe/runtime.h"
#include "sonde/probe/tls.h"

namespace sonde::kernel {

class Uprobes final : public probe::Prober {
 public:
  // Either family may be null: what needs it is refused then.
  static Result<std::unique_ptr<Uprobes>> Create(const LoadedFamily* tls,
                                                 const LoadedFamily* runtime,
                                                 std::shared_ptr<SharedMaps> maps);

  Result<std::unique_ptr<Attachment>> Attach(int file,
                                             std::span<const probe::TlsPoint> points) override;
  Result<std::unique_ptr<Attachment>> Attach(int file, const sonde_runtime& layout,
                                             std::span<const probe::RuntimePoint> points) override;
  void SetRuntime(uint32_t tgid, const sonde_runtime& runtime) override;
  std::optional<sonde_runtime> RuntimeOf(uint32_t tgid) const override;
  void SetParker(uint32_t tgid, uint64_t parker, uint32_t tid) override;
  void MarkPlain(uint64_t inode, uint32_t device, uint64_t bytes) override;

  bool sessions() const { return session_.valid(); }

 private:
  class Links;  // the attachment

  explicit Uprobes(std::shared_ptr<SharedMaps> maps);

  std::shared_ptr<SharedMaps> maps_;
  FileDescriptor text_;
  FileDescriptor session_;  // invalid: the kernel has none
  FileDescriptor enter_;
  FileDescriptor leave_;
  FileDescriptor runtime_at_;
  FileDescriptor runtime_return_;
  uint32_t multi_type_ = 0;  // of the running kernel's enum bpf_attach_type; 0: it has none
  uint32_t session_type_ = 0;
  Slots text_slots_;     // of sonde_tls_probes
  Slots runtime_slots_;  // of sonde_runtime_probes
};

}  // namespace sonde::kernel
