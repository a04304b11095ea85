// SPDX-License-Identifier: Apache-2.0
#include "config/not_here.h"

#include <array>
#include <string_view>

namespace sonde::config {
namespace {

constexpr std::string_view kForeign =
    "known to OpenTelemetry, but sonde has no use for it; remove it from this file";

struct Reason {
  std::string_view name;
  std::string_view text;
};

constexpr std::array<Reason, 12> kKeys{{
    {"meter_provider.views", "not supported; see sonde.metrics for what can be chosen"},
    {"meter_provider.exemplar_filter",
     "not supported; exemplars are of kept traces, and sonde.metrics.exemplars switches them off"},
    {"meter_provider.meter_configurator/development", kForeign},
    {"logger_provider", kForeign},
    {"disabled", kForeign},
    {"instrumentation/development", kForeign},
    {"distribution", kForeign},
    {"resource.schema_url", kForeign},
    {"resource.detection/development", kForeign},
    {"tracer_provider.limits", "not supported; use attribute_limits"},
    {"tracer_provider.id_generator", kForeign},
    {"tracer_provider.tracer_configurator/development", kForeign},
}};

}  // namespace

std::string_view WhyKeyIsNotHere(std::string_view path) {
  for (const auto& [name, text] : kKeys) {
    if (name == path) return text;
  }
  return {};
}

}  // namespace sonde::config
