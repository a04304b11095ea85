// SPDX-License-Identifier: Apache-2.0
#include "config/exporter_names.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "config/draft.h"
#include "config/key.h"
#include "config/section.h"
#include "config/yaml_node.h"
#include "sonde/config/config.h"

namespace sonde::config {

const ExporterName* FindByName(std::span<const ExporterName> names, std::string_view name) {
  const auto found = std::ranges::find(names, name, &ExporterName::name);
  return found == names.end() ? nullptr : &*found;
}

const ExporterName* FindFor(std::span<const ExporterName> names, const ExporterOptions& options) {
  const bool grpc = options.otlp.protocol == OtlpProtocol::kGrpc;
  if (options.kind == ExporterKind::kOtlp) {
    return FindByName(names, grpc ? "otlp_grpc" : "otlp_http");
  }
  const auto found = std::ranges::find(names, options.kind, &ExporterName::kind);
  return found == names.end() ? nullptr : &*found;
}

YamlNode WriteExporter(const ExporterName& known, const ExporterDraft& exporter, Draft& draft) {
  draft.exporter = exporter;
  YamlNode settings = WriteSection(known.keys(), draft, exporter.origins);
  if (settings.entries.empty()) settings.comment = exporter.origin.ToString();
  YamlNode named = YamlNode::Map();
  named.Add(std::string(known.name), std::move(settings));
  return named;
}

Json ExportersSchema(std::span<const ExporterName> names) {
  Json exporters = {{"type", "object"},
                    {"properties", Json::object()},
                    {"additionalProperties", false},
                    {"minProperties", 1},
                    {"maxProperties", 1}};
  for (const ExporterName& known : names) {
    Json schema = SchemaOf(known.keys());
    schema["type"] = Json::array({"object", "null"});
    exporters["properties"][std::string(known.name)] = std::move(schema);
  }
  return exporters;
}

}  // namespace sonde::config
