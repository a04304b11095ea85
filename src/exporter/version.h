// SPDX-License-Identifier: Apache-2.0
// Who the exporters say they are.
#pragma once

namespace sonde::exporter {

inline constexpr char kScopeName[] = "sonde";
inline constexpr char kVersion[] = SONDE_VERSION;
// Product in front of the exporter, as the OTLP specification's section "User Agent" puts it.
inline constexpr char kUserAgent[] =
    "sonde/" SONDE_VERSION " OTel-OTLP-Exporter-Cpp/" SONDE_VERSION;

}  // namespace sonde::exporter
