// SPDX-License-Identifier: Apache-2.0
// Maps that several objects define under one name and use in common: the first object that is
// loaded makes them, the others take them over. Lives as long as any program that uses them.
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
  explicit SharedMaps(size_t ring_bytes);

  // Before load: hands known maps to the object, sets sizes of new ones. `socket_table`:
  // sonde_sockets is used and gets its full size.
  Status Prepare(bpf_object* object, bool socket_table) const;
  // After load: keeps the maps this object has made.
  Status Keep(bpf_object* object);

  // -1 if no object had such a map.
  int fd(std::string_view name) const;

 private:
  size_t ring_bytes_;
  // Hash tables need not have all their memory from the start. Before, a kernel that loads a
  // uprobe's program with one that has not says in its log that this is unsafe.
  bool grows_safely_;
  std::map<std::string, FileDescriptor, std::less<>> maps_;
};

}  // namespace sonde::kernel
