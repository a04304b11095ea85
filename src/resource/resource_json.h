// SPDX-License-Identifier: Apache-2.0
// A resource as a line of text in recordings: the Resource message of OTLP/JSON, so that other
// tools read it too.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "resource/owned_resource.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/span.h"

namespace sonde::resource {

std::string ToJson(const Resource& resource);

// Refuses what is no such object or is larger than 1 MiB or 1024 attributes. Attributes of unknown
// value types are left out, keys that come twice count once.
Result<std::shared_ptr<const OwnedResource>> FromJson(std::string_view text);

}  // namespace sonde::resource
