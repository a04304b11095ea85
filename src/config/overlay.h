// SPDX-License-Identifier: Apache-2.0
// The flags and variables that lie over an OTLP exporter of whatever signal, and its endpoint.
#pragma once

#include <string_view>

#include "config/draft.h"
#include "config/environment.h"
#include "config/key_table.h"
#include "config/origin.h"

namespace sonde::config {

struct Overlay {
  const FlagValues& flags;
  const Environment& environment;
  Signal signal;
};

// The protocol of an exporter in the file belongs to its endpoint: a variable that is meant for
// other programs must not turn one without the other.
void ApplyOverlay(const Overlay& overlay, ExporterDraft& exporter, Draft& draft,
                  Findings& findings);

// ResolveEndpoint; what is wrong is found where the endpoint was given.
void ResolveOrTell(ExporterDraft& exporter, std::string_view path, Findings& findings);

}  // namespace sonde::config
