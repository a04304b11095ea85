// SPDX-License-Identifier: Apache-2.0
#include "config/not_here.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sonde::config {
namespace {

constexpr std::string_view kLater = "not available in this version";
constexpr std::string_view kForeign =
    "known to OpenTelemetry, but sonde has no use for it; remove it from this file";

struct Reason {
  std::string_view name;
  std::string_view text;
};

constexpr std::array<std::string_view, 1> kPlannedFlags{"--queue-dir"};

constexpr std::array<Reason, 11> kKeys{{
    {"meter_provider", kLater},
    {"sonde.tail_sampling", kLater},
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

std::string_view WhyFlagIsNotHere(std::string_view flag) {
  return std::ranges::find(kPlannedFlags, flag) == kPlannedFlags.end() ? std::string_view{}
                                                                       : kLater;
}

std::string_view WhyKeyIsNotHere(std::string_view path) {
  for (const auto& [name, text] : kKeys) {
    if (name == path) return text;
  }
  for (const std::string_view section : {"sonde.discovery.include.", "sonde.discovery.exclude."}) {
    if (!path.starts_with(section)) continue;
    for (const std::string_view flag : kPlannedFlags) {
      if (path.substr(section.size()) == flag.substr(2)) return kLater;
    }
  }
  return {};
}

}  // namespace sonde::config
