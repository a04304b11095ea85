// SPDX-License-Identifier: Apache-2.0
// What is the same for every process of this host. Read once, at start.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <string>

#include "resource/owned_resource.h"
#include "sonde/pipeline/process.h"

namespace sonde::resource {

struct HostFacts {
  std::string name;  // host.name
  std::string id;    // host.id: machine id
  std::string arch;  // host.arch, in the words of the conventions
  std::string os_name;
  std::string os_version;
  std::string os_description;
  std::string boot_id;
  uint64_t boot_wall_s = 0;  // Unix time of the boot, as ps and the Collector take it
  absl::flat_hash_map<uint32_t, std::string>
      users;  // of the host's passwd file: no name service, which may block

  void AddTo(ResourceBuilder& builder) const;
};

// `root`: directory that holds etc/. A reader that sees nothing gives nothing.
HostFacts ReadHost(const ProcessReader& reader, const std::string& root);

}  // namespace sonde::resource
