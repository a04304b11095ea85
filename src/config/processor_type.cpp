// SPDX-License-Identifier: Apache-2.0
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
#include "config/kafka_keys.h"
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

const KeyTable& NoKeys() {
  static const KeyTable table;
  return table;
}

const KeyTable& HttpKeys() { return OtlpHttpKeys(Signal::kTraces); }
const KeyTable& GrpcKeys() { return OtlpGrpcKeys(Signal::kTraces); }

constexpr std::array<ExporterName, 6> kExporters{{
    {"otlp_http", ExporterKind::kOtlp, OtlpProtocol::kHttpProtobuf, HttpKeys},
    {"otlp_grpc", ExporterKind::kOtlp, OtlpProtocol::kGrpc, GrpcKeys},
    {"otlp_file/development", ExporterKind::kFile, std::nullopt, FileExporterKeys},
    {"zipkin", ExporterKind::kZipkin, std::nullopt, ZipkinKeys},
    {"kafka", ExporterKind::kKafka, std::nullopt, KafkaKeys},
    {"console", ExporterKind::kConsole, std::nullopt, NoKeys},
}};

constexpr std::string_view kExporterNames =
    "one of otlp_http, otlp_grpc, otlp_file/development, zipkin, kafka, console";

class ProcessorListType final : public ValueType {
 public:
  std::string Describe() const override { return "a list of batch or simple processors"; }

  void Read(const YamlNode& node, const Reading& in) const override {
    if (!node.is_sequence()) return in.Expected(Describe(), node);
    in.draft.exporters.clear();
    in.draft.exporters_chosen = true;
    std::optional<BatchOptions> first;
    for (size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = node.items[i];
      in.draft.config.batch = BatchOptions{};
      ReadProcessor(item, At(in, in.path + "[" + std::to_string(i) + "]", item));
      if (item.Find("batch") == nullptr) continue;
      if (!first) first = in.draft.config.batch;
      if (!Same(*first, in.draft.config.batch)) {
        At(in, in.path, item).Reject("batch settings must be the same in every processor");
      }
    }
    in.draft.config.batch = first.value_or(BatchOptions{});
    if (node.items.empty()) {  // what `--export none` is called here
      ExporterDraft none;
      none.options.kind = ExporterKind::kNone;
      none.origin = in.origin;
      in.draft.exporters.push_back(none);
    }
    in.Accept();
  }

  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override {
    YamlNode list = YamlNode::Sequence();
    for (const ExporterDraft& exporter : draft.exporters) {
      const ExporterName* known = FindFor(kExporters, exporter.options);
      if (known == nullptr) continue;  // none
      YamlNode named = WriteExporter(*known, exporter, draft);
      YamlNode batch = WriteSection(BatchKeys(), draft, origins);
      batch.Add("exporter", std::move(named));
      YamlNode processor = YamlNode::Map();
      processor.Add("batch", std::move(batch));
      list.items.push_back(std::move(processor));
    }
    if (list.items.empty()) list.comment = OriginOf(origins, key);
    return list;
  }

  Json Schema() const override {
    const Json exporters = ExportersSchema(kExporters);
    Json batch = SchemaOf(BatchKeys());
    batch["properties"]["exporter"] = exporters;
    batch["required"] = Json::array({"exporter"});
    Json simple = {{"type", "object"},
                   {"properties", {{"exporter", exporters}}},
                   {"required", Json::array({"exporter"})},
                   {"additionalProperties", false}};
    const Json processor = {{"type", "object"},
                            {"properties", {{"batch", batch}, {"simple", simple}}},
                            {"additionalProperties", false},
                            {"minProperties", 1},
                            {"maxProperties", 1}};
    return {{"type", "array"}, {"items", processor}};
  }

 private:
  static Reading At(const Reading& in, std::string path, const YamlNode& node) {
    Reading inner = in;
    inner.path = std::move(path);
    inner.origin.line = node.line;
    return inner;
  }

  static bool Same(const BatchOptions& a, const BatchOptions& b) {
    return a.max_queue_size == b.max_queue_size &&
           a.max_export_batch_size == b.max_export_batch_size &&
           a.schedule_delay == b.schedule_delay && a.export_timeout == b.export_timeout;
  }

  static void ReadProcessor(const YamlNode& item, const Reading& in) {
    if (!item.is_map() || item.entries.size() != 1) return in.Expected("batch or simple", item);
    const auto& [name, line, body] = item.entries[0];
    if (name != "batch" && name != "simple") {
      return in.Expected("batch or simple", YamlNode::Scalar(name));
    }
    const YamlNode* exporter = body.Find("exporter");
    if (exporter == nullptr || !exporter->is_map() || exporter->entries.size() != 1) {
      return At(in, in.path + "." + name, item)
          .Reject("expected exporter with " + std::string(kExporterNames));
    }
    YamlNode settings = body;
    std::erase_if(settings.entries, [](const auto& entry) { return entry.key == "exporter"; });
    const std::string path = in.path + "." + name;
    const Target target{in.draft, in.findings, in.origins};
    ReadSection(name == "batch" ? BatchKeys() : NoKeys(), settings, in.origin.name, path + ".",
                target);
    ReadExporter(exporter->entries[0], name == "simple", At(in, path + ".exporter", *exporter));
  }

  static void ReadExporter(const YamlNode::Entry& entry, bool simple, Reading in) {
    in.origin.line = entry.line;
    const ExporterName* known = FindByName(kExporters, entry.key);
    if (known == nullptr) {
      return in.Expected(std::string(kExporterNames), YamlNode::Scalar(entry.key));
    }
    if (simple && known->kind != ExporterKind::kConsole) {
      return in.Reject("simple is for console only; use batch for " + entry.key);
    }
    if (!entry.value.is_null() && !entry.value.is_map()) {
      return in.Expected("a map below " + entry.key, entry.value);
    }
    ExporterDraft& exporter = in.draft.exporter;
    exporter = ExporterDraft{};
    exporter.options.kind = known->kind;
    exporter.protocol = known->protocol;
    exporter.origin = in.origin;
    const Target target{in.draft, in.findings, exporter.origins};
    ReadSection(known->keys(), entry.value, in.origin.name, in.path + "." + entry.key + ".",
                target);
    if (known->kind == ExporterKind::kFile && exporter.options.target.empty()) {
      exporter.options.target = "-";  // the default of output_stream is stdout
    }
    in.draft.exporters.push_back(exporter);
  }
};

}  // namespace

TypePtr ProcessorList() { return std::make_shared<ProcessorListType>(); }

}  // namespace sonde::config
