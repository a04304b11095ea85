// SPDX-License-Identifier: Apache-2.0
#include "kernel/shared_maps.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "kernel/file_descriptor.h"
#include "kernel/host.h"
#include "sonde/base/result.h"

namespace sonde::kernel {
namespace {

Status MapError(const char* what, const bpf_map* map, int error) {
  return absl::InternalError(
      absl::StrCat(what, " ", bpf_map__name(map), ": ", std::strerror(error < 0 ? -error : error)));
}

}  // namespace

// Linux 6.1 brought the helper that is asked for, and with it maps that may grow under any program.
SharedMaps::SharedMaps(size_t ring_bytes)
    : ring_bytes_(ring_bytes), grows_safely_(HasHelper("BPF_FUNC_user_ringbuf_drain")) {}

Status SharedMaps::Prepare(bpf_object* object, bool socket_table) const {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map)) continue;
    const std::string_view name = bpf_map__name(map);
    if (const int known = fd(name); known >= 0) {
      if (const int error = bpf_map__reuse_fd(map, known); error != 0) {
        return MapError("cannot share map", map, error);
      }
      continue;
    }
    int error = 0;
    if (bpf_map__type(map) == BPF_MAP_TYPE_HASH && !grows_safely_) {
      error = bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~BPF_F_NO_PREALLOC);
    } else if (name == "sonde_ring") {
      error = bpf_map__set_max_entries(map, static_cast<uint32_t>(ring_bytes_));
    } else if (name == "sonde_sockets" && !socket_table) {
      error = bpf_map__set_max_entries(map, 1);
    }
    if (error != 0) return MapError("cannot size map", map, error);
  }
  return absl::OkStatus();
}

Status SharedMaps::Keep(bpf_object* object) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const std::string_view name = bpf_map__name(map);
    if (bpf_map__is_internal(map) || fd(name) >= 0) continue;
    auto copy = FileDescriptor::DuplicateOf(bpf_map__fd(map));
    if (!copy.valid()) return MapError("cannot keep map", map, errno);
    maps_.emplace(name, std::move(copy));
  }
  return absl::OkStatus();
}

int SharedMaps::fd(std::string_view name) const {
  const auto found = maps_.find(name);
  return found == maps_.end() ? -1 : found->second.get();
}

}  // namespace sonde::kernel
