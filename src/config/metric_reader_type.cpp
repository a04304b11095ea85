// SPDX-License-Identifier: Apache-2.0
// `meter_provider.readers`: periodic readers, each with its exporter.
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/exporter_names.h"
#include "config/key.h"
#include "config/key_table.h"
#include "config/key_types.h"
#include "config/origin.h"
#include "config/section.h"
#include "config/telemetry_types.h"
#include "config/yaml_node.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

const KeyTable& HttpKeys() { return OtlpHttpKeys(Signal::kMetrics); }
const KeyTable& GrpcKeys() { return OtlpGrpcKeys(Signal::kMetrics); }

constexpr std::array<ExporterName, 4> kExporters{{
    {"otlp_http", ExporterKind::kOtlp, OtlpProtocol::kHttpProtobuf, HttpKeys},
    {"otlp_grpc", ExporterKind::kOtlp, OtlpProtocol::kGrpc, GrpcKeys},
    {"otlp_file/development", ExporterKind::kFile, std::nullopt, MetricFileKeys},
    {"console", ExporterKind::kConsole, std::nullopt, MetricConsoleKeys},
}};

constexpr std::string_view kExporterNames =
    "one of otlp_http, otlp_grpc, otlp_file/development, console";

class MetricReaderListType final : public ValueType {
 public:
  std::string Describe() const override { return "a list of periodic readers"; }

  void Read(const YamlNode& node, const Reading& in) const override {
    if (!node.is_sequence()) return in.Expected(Describe(), node);
    in.draft.metric_readers.clear();
    in.draft.metric_readers_chosen = true;
    for (size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = node.items[i];
      ReadReader(item, At(in, in.path + "[" + std::to_string(i) + "]", item.line));
    }
    in.Accept();
  }

  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override {
    YamlNode list = YamlNode::Sequence();
    for (const MetricReaderDraft& reader : draft.metric_readers) {
      draft.metric_reader = reader;
      const ExporterName* known = FindFor(kExporters, reader.exporter.options);
      if (known == nullptr) continue;
      YamlNode named = WriteExporter(*known, reader.exporter, draft);
      YamlNode periodic = WriteSection(PeriodicKeys(), draft, reader.origins);
      periodic.Add("exporter", std::move(named));
      YamlNode item = YamlNode::Map();
      item.Add("periodic", std::move(periodic));
      list.items.push_back(std::move(item));
    }
    if (list.items.empty()) list.comment = OriginOf(origins, key);
    return list;
  }

  Json Schema() const override {
    Json periodic = SchemaOf(PeriodicKeys());
    periodic["properties"]["exporter"] = ExportersSchema(kExporters);
    periodic["required"] = Json::array({"exporter"});
    const Json reader = {{"type", "object"},
                         {"properties", {{"periodic", periodic}}},
                         {"additionalProperties", false},
                         {"required", Json::array({"periodic"})}};
    return {{"type", "array"}, {"items", reader}};
  }

 private:
  static Reading At(const Reading& in, std::string path, int line) {
    Reading inner = in;
    inner.path = std::move(path);
    inner.origin.line = line;
    return inner;
  }

  static void ReadReader(const YamlNode& item, const Reading& in) {
    if (!item.is_map() || item.entries.size() != 1) return in.Expected("periodic", item);
    const auto& [name, line, body] = item.entries[0];
    if (name == "pull") {
      return in.Reject("sonde.admin.listen says where /metrics is pulled; remove this reader");
    }
    if (name != "periodic") return in.Expected("periodic", YamlNode::Scalar(name));
    const YamlNode* exporter = body.Find("exporter");
    if (exporter == nullptr || !exporter->is_map() || exporter->entries.size() != 1) {
      return At(in, in.path + ".periodic", line)
          .Reject("expected exporter with " + std::string(kExporterNames));
    }
    MetricReaderDraft& reader = in.draft.metric_reader;
    reader = MetricReaderDraft{};
    YamlNode settings = body;
    std::erase_if(settings.entries, [](const auto& entry) { return entry.key == "exporter"; });
    ReadSection(PeriodicKeys(), settings, in.origin.name, in.path + ".periodic.",
                {in.draft, in.findings, reader.origins});
    const YamlNode::Entry& chosen = exporter->entries[0];
    if (!ReadExporter(chosen, At(in, in.path + ".periodic.exporter", chosen.line))) return;
    reader.exporter = in.draft.exporter;
    in.draft.metric_readers.push_back(reader);
  }

  static bool ReadExporter(const YamlNode::Entry& entry, const Reading& in) {
    const auto* known = FindByName(kExporters, entry.key);
    if (known == nullptr) {
      in.Expected(std::string(kExporterNames), YamlNode::Scalar(entry.key));
      return false;
    }
    if (!entry.value.is_null() && !entry.value.is_map()) {
      in.Expected("a map below " + entry.key, entry.value);
      return false;
    }
    ExporterDraft& exporter = in.draft.exporter;
    exporter = ExporterDraft{};
    exporter.options.kind = known->kind;
    exporter.protocol = known->protocol;
    exporter.origin = in.origin;
    ReadSection(known->keys(), entry.value, in.origin.name, in.path + "." + entry.key + ".",
                {in.draft, in.findings, exporter.origins});
    if (known->kind == ExporterKind::kFile && exporter.options.target.empty()) {
      exporter.options.target = "-";  // the default of output_stream is stdout
    }
    return true;
  }
};

}  // namespace

TypePtr MetricReaderList() { return std::make_shared<MetricReaderListType>(); }

}  // namespace sonde::config
