// SPDX-License-Identifier: Apache-2.0
// Exporters by the name that they have in the file, each with a table of its keys: one set for
// spans, one for metrics.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "config/draft.h"
#include "config/key.h"
#include "config/yaml_node.h"
#include "sonde/config/config.h"

namespace sonde::config {

struct ExporterName {
  std::string_view name;
  ExporterKind kind;
  std::optional<OtlpProtocol> protocol;
  const KeyTable& (*keys)();
};

// Null: there is none.
const ExporterName* FindByName(std::span<const ExporterName> names, std::string_view name);
const ExporterName* FindFor(std::span<const ExporterName> names, const ExporterOptions& options);

// {name: settings}; where it comes from as a comment if nothing is set.
YamlNode WriteExporter(const ExporterName& known, const ExporterDraft& exporter, Draft& draft);

// An object with exactly one of the names.
Json ExportersSchema(std::span<const ExporterName> names);

}  // namespace sonde::config
