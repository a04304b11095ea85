// SPDX-License-Identifier: Apache-2.0
// OTEL_RESOURCE_ATTRIBUTES, as the OpenTelemetry resource SDK specification defines it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde::resource {

using KeyValues = std::vector<std::pair<std::string, std::string>>;

// "k1=v1,k2=v2", values percent-encoded. Of a malformed text nothing is used, as the specification
// asks. At most 128 pairs, keys of at most 255 bytes, values of at most kMaxValueBytes; what is
// beyond is malformed too. Empty values are kept.
std::optional<KeyValues> ParseResourceAttributes(std::string_view text);

}  // namespace sonde::resource
