// SPDX-License-Identifier: Apache-2.0
// Every key of the configuration, once.
#pragma once

#include <cstdint>

#include "config/key.h"

namespace sonde::config {

// Values with one place: file, and where they have them flag and variables.
const KeyTable& MainKeys();

// Below `tracer_provider.processors[].batch`, without `exporter`.
const KeyTable& BatchKeys();

// Below `meter_provider.readers[].periodic`, without `exporter`.
const KeyTable& PeriodicKeys();

// What an exporter is for: variables differ, and metrics have more keys.
enum class Signal : uint8_t { kTraces, kMetrics };

// Below an exporter.
const KeyTable& OtlpHttpKeys(Signal signal);
const KeyTable& OtlpGrpcKeys(Signal signal);
const KeyTable& FileExporterKeys();
const KeyTable& ZipkinKeys();
const KeyTable& MetricFileKeys();
const KeyTable& MetricConsoleKeys();

// The flags and variables that overlay every OTLP exporter.
const KeyTable& OtlpOverlayKeys(Signal signal);

}  // namespace sonde::config
