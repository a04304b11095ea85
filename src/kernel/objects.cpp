// SPDX-License-Identifier: Apache-2.0
#include "kernel/objects.h"

#include <cstddef>
#include <string_view>

// clang-format off: the skeletons name the types of control.h
#include "sonde/abi/control.h"  // IWYU pragma: keep
#include "sonde/abi/runtime.h"  // IWYU pragma: keep
#include "mapped.skel.h"
#include "process.skel.h"
#include "runtime.skel.h"
#include "sock_length.skel.h"
#include "sys_exit.skel.h"
#include "sys_exit_base.skel.h"
#include "tcp_state.skel.h"
#include "tcp_state_base.skel.h"
#include "tls.skel.h"
// clang-format on

namespace sonde::kernel {
namespace {

std::string_view Bytes(const void* (*elf)(size_t*)) {
  size_t size = 0;
  const void* data = elf(&size);
  return {static_cast<const char*>(data), size};
}

}  // namespace

std::string_view ObjectBytes(std::string_view name) {
  if (name == "sock_length") return Bytes(sock_length_bpf__elf_bytes);
  if (name == "sys_exit") return Bytes(sys_exit_bpf__elf_bytes);
  if (name == "sys_exit_base") return Bytes(sys_exit_base_bpf__elf_bytes);
  if (name == "process") return Bytes(process_bpf__elf_bytes);
  if (name == "tcp_state") return Bytes(tcp_state_bpf__elf_bytes);
  if (name == "tcp_state_base") return Bytes(tcp_state_base_bpf__elf_bytes);
  if (name == "tls") return Bytes(tls_bpf__elf_bytes);
  if (name == "runtime") return Bytes(runtime_bpf__elf_bytes);
  if (name == "mapped") return Bytes(mapped_bpf__elf_bytes);
  return {};
}

}  // namespace sonde::kernel
