// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sonde::exporter {

// What an OTLP request holds: service, path and answers differ.
enum class Signal : uint8_t { kTraces, kMetrics };

}  // namespace sonde::exporter
