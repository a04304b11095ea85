// SPDX-License-Identifier: Apache-2.0
// Every key of the configuration, once.
#pragma once

#include "config/key.h"

namespace sonde::config {

// Values with one place: file, and where they have them flag and variables.
const KeyTable& MainKeys();

// Below `tracer_provider.processors[].batch`, without `exporter`.
const KeyTable& BatchKeys();

// Below an exporter.
const KeyTable& OtlpHttpKeys();
const KeyTable& OtlpGrpcKeys();
const KeyTable& FileExporterKeys();
const KeyTable& ZipkinKeys();

// The flags and variables that overlay every OTLP exporter.
const KeyTable& OtlpOverlayKeys();

}  // namespace sonde::config
