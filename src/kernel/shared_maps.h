// SPDX-License-Identifier: Apache-2.0
// Maps that several objects define under one name and use in common: the first object that is loaded makes them, the
// others take them over. Lives as long as any program that uses them.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "kernel/file_descriptor.h"
#include "sonde/base/result.h"

struct bpf_object;

namespace sonde::kernel {

class SharedMaps {
 public:
  struct Sizes {
    size_t ring_bytes = 0;
    bool socket_table = false;  // sonde_sockets gets its full size
  };

  explicit SharedMaps(Sizes sizes) : sizes_(sizes) {}

  // Before load: hands known maps to the object, sets sizes of new ones.
  Status Prepare(bpf_object* object) const;
  // After load: keeps the maps this object has made.
  Status Keep(bpf_object* object);

  // -1 if no object had such a map.
  int fd(std::string_view name) const;

 private:
  Sizes sizes_;
  std::map<std::string, FileDescriptor, std::less<>> maps_;
};

}  // namespace sonde::kernel
