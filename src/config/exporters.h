// SPDX-License-Identifier: Apache-2.0
// Which exporters there are: --export, SONDE_EXPORT, OTEL_TRACES_EXPORTER.
#pragma once

#include <string>
#include <vector>

#include "config/draft.h"
#include "config/origin.h"

namespace sonde::config {

// Replaces the exporters. Each spec is console, otlp, file=PATH, zipkin[=URL],
// kafka[=BROKERS[/TOPIC]] or none; an OTLP, Zipkin or Kafka exporter of the file keeps its other
// settings.
void ChooseExporters(const std::vector<std::string>& specs, const Origin& origin, Draft& draft,
                     Findings& findings);

}  // namespace sonde::config
