// SPDX-License-Identifier: Apache-2.0
// One probe family in the kernel: its object loaded, its programs attached. All of its fatal
// programs, or none.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/libbpf_log.h"
#include "kernel/shared_maps.h"
#include "sonde/abi/control.h"
#include "sonde/base/result.h"
#include "sonde/probe/family.h"

struct bpf_link;
struct bpf_object;

namespace sonde::kernel {

class LoadedFamily {
 public:
  // Loads and attaches. On failure nothing stays behind; the message is what the kernel or libbpf
  // said first.
  static Result<std::unique_ptr<LoadedFamily>> Load(const probe::Family& family,
                                                    const sonde_settings& settings,
                                                    SharedMaps& maps);
  ~LoadedFamily();
  LoadedFamily(const LoadedFamily&) = delete;
  LoadedFamily& operator=(const LoadedFamily&) = delete;

  const probe::Family& family() const { return family_; }
  bpf_object* object() const { return object_.get(); }
  // What is done in another way than on the newest kernels, and why; empty: nothing.
  const std::string& remark() const { return remark_; }
  // Instructions that the verifier walked through, by program.
  const LibbpfLog::Costs& costs() const { return costs_; }

 private:
  struct ObjectCloser {
    void operator()(bpf_object* object) const;
  };
  using ObjectPtr = std::unique_ptr<bpf_object, ObjectCloser>;

  LoadedFamily(const probe::Family& family, ObjectPtr object);
  Status Attach();

  const probe::Family& family_;
  ObjectPtr object_;
  std::string remark_;
  LibbpfLog::Costs costs_;
  std::vector<bpf_link*> links_;  // owned; destroyed before the object
};

}  // namespace sonde::kernel
