// SPDX-License-Identifier: Apache-2.0
// Identity of a process, as service.instance.id and process.creation.time give it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::resource {

// UUID version 5 (RFC 9562) of `name` in the namespace that the semantic conventions reserve for
// service.instance.id.
std::string InstanceId(std::string_view name);

// Unix time of the boot plus clock ticks: "2023-11-21T09:25:34.850Z".
std::string CreationTime(uint64_t boot_wall_s, uint64_t start_ticks);

}  // namespace sonde::resource
