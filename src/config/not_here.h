// SPDX-License-Identifier: Apache-2.0
// Names that are known but do nothing: OpenTelemetry's, and of no use here. They are refused with
// the reason; nothing is accepted and then ignored.
#pragma once

#include <string_view>

namespace sonde::config {

// The reason, or "" if the name is simply unknown. A key with its full path.
std::string_view WhyKeyIsNotHere(std::string_view path);

}  // namespace sonde::config
