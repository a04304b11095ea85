// SPDX-License-Identifier: Apache-2.0
// The keys of exporters.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/draft.h"
#include "config/endpoint.h"
#include "config/key.h"
#include "config/key_table.h"
#include "config/key_types.h"
#include "config/origin.h"
#include "config/pairs.h"
#include "config/text.h"
#include "config/text_rules.h"
#include "config/yaml_node.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

// The endpoint, and by which rule it becomes a URL.
class EndpointType final : public ScalarType {
 public:
  std::string Describe() const override { return "a URL such as http://localhost:4318"; }
  Json Schema() const override { return {{"type", "string"}, {"minLength", 1}}; }

  void Read(const YamlNode& node, const Reading& in) const override {
    if (in.origin.layer == Layer::kFlag) {
      in.draft.exporter.endpoint_rule = EndpointRule::kFlag;
    } else if (in.origin.name == "OTEL_EXPORTER_OTLP_ENDPOINT") {
      in.draft.exporter.endpoint_rule = EndpointRule::kBase;
    } else {
      in.draft.exporter.endpoint_rule = EndpointRule::kAsIs;
    }
    ScalarType::Read(node, in);
  }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    draft.exporter.endpoint = scalar.text;
    return !scalar.text.empty();
  }
  YamlNode Get(Draft& draft) const override {
    const std::string& url = draft.exporter.options.otlp.endpoint;
    return url.empty() ? YamlNode{} : YamlNode::Scalar(MaskUserInfo(url), true);
  }
};

// The variables of the signal come first.
class Variables {
 public:
  explicit Variables(Signal signal)
      : prefix_(signal == Signal::kTraces ? "OTEL_EXPORTER_OTLP_TRACES_"
                                          : "OTEL_EXPORTER_OTLP_METRICS_") {}
  std::vector<std::string> operator()(const std::string& name) const {
    return {prefix_ + name, "OTEL_EXPORTER_OTLP_" + name};
  }

 private:
  std::string prefix_;
};

void AddTransport(KeyTable& t, const Variables& variables) {
  const auto headers = [](Draft& d) -> auto& { return d.exporter.options.otlp.headers; };
  t.push_back({"endpoint", "--otlp-endpoint", "URL", variables("ENDPOINT"),
               "The receiver. Default: http://localhost:4318, or 4317 for gRPC.",
               std::make_shared<EndpointType>()});
  t.push_back({"headers", "--otlp-header", "K=V", variables("HEADERS"),
               "Sent with every export, for example credentials.",
               PairList(headers, {HeaderName(), true})});
  t.push_back({"headers_list",
               "",
               "",
               {},
               "The same as one text, k=v,k2=v2; the list form wins.",
               PairText(headers, {HeaderName(), true}, "headers")});
  t.push_back({"compression", "", "", variables("COMPRESSION"), "Compression of the requests.",
               Choice<bool>([](Draft& d) -> auto& { return d.exporter.options.otlp.gzip; },
                            {{"none", false}, {"gzip", true}})});
  t.push_back({"timeout", "", "", variables("TIMEOUT"), "How long one request may take.",
               OtelDuration([](Draft& d) -> auto& { return d.exporter.options.otlp.timeout; },
                            Milliseconds(1), std::chrono::hours(1))});
}

void AddTls(KeyTable& t, const Variables& variables) {
  t.push_back(
      {"tls.ca_file", "", "", variables("CERTIFICATE"),
       "PEM file of the authorities that sign the receiver's certificate.",
       Text([](Draft& d) -> auto& { return d.exporter.options.otlp.certificate; }, FilePath())});
  t.push_back({"tls.cert_file", "", "", variables("CLIENT_CERTIFICATE"),
               "PEM file of sonde's own certificate.",
               Text([](Draft& d) -> auto& { return d.exporter.options.otlp.client_certificate; },
                    FilePath())});
  t.push_back(
      {"tls.key_file", "", "", variables("CLIENT_KEY"), "PEM file of its key.",
       Text([](Draft& d) -> auto& { return d.exporter.options.otlp.client_key; }, FilePath())});
}

Key Insecure(const Variables& variables) {
  return {"tls.insecure",
          "",
          "",
          variables("INSECURE"),
          "An endpoint without scheme is plain text. Default: only on loopback.",
          Switch([](Draft& d) -> auto& { return d.exporter.insecure; })};
}

// The file says low_memory, the variable lowmemory in any case of letters.
class TemporalityType final : public ScalarType {
 public:
  std::string Describe() const override { return "cumulative, delta or low_memory"; }
  Json Schema() const override {
    return {{"enum", Json::array({"cumulative", "delta", "low_memory"})}};
  }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    const std::string text = Lower(scalar.text);
    Temporality& temporality = draft.metric_reader.options.temporality;
    if (text == "cumulative") {
      temporality = Temporality::kCumulative;
    } else if (text == "delta") {
      temporality = Temporality::kDelta;
    } else if (text == "low_memory" || text == "lowmemory") {
      temporality = Temporality::kLowMemory;
    } else {
      return false;
    }
    return true;
  }
  YamlNode Get(Draft& draft) const override {
    switch (draft.metric_reader.options.temporality) {
      case Temporality::kCumulative:
        return YamlNode::Scalar("cumulative");
      case Temporality::kDelta:
        return YamlNode::Scalar("delta");
      case Temporality::kLowMemory:
        break;
    }
    return YamlNode::Scalar("low_memory");
  }
};

// `otlp`: the variables are those of OTLP's exporter alone.
void AddMetricChoices(KeyTable& t, bool otlp) {
  const auto variables = [&](const char* name) {
    return otlp ? std::vector<std::string>{name} : std::vector<std::string>{};
  };
  t.push_back(
      {"temporality_preference", "", "",
       variables("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"),
       "cumulative: since a series began; delta: since the last push; low_memory: delta, but "
       "cumulative for what is observed.",
       std::make_shared<TemporalityType>()});
  t.push_back({"default_histogram_aggregation", "", "",
               variables("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"),
               "Buckets of histograms.",
               Choice<bool>([](Draft& d) -> auto& { return d.metric_reader.options.exponential; },
                            {{"explicit_bucket_histogram", false},
                             {"base2_exponential_bucket_histogram", true}})});
}

class EncodingType final : public ScalarType {
 public:
  std::string Describe() const override { return "protobuf or json"; }
  Json Schema() const override { return {{"enum", Json::array({"protobuf", "json"})}}; }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    if (scalar.text != "protobuf" && scalar.text != "json") return false;
    draft.exporter.protocol =
        scalar.text == "json" ? OtlpProtocol::kHttpJson : OtlpProtocol::kHttpProtobuf;
    return true;
  }
  YamlNode Get(Draft& draft) const override {
    const bool json = draft.exporter.options.otlp.protocol == OtlpProtocol::kHttpJson;
    return YamlNode::Scalar(json ? "json" : "protobuf");
  }
};

class ProtocolType final : public ScalarType {
 public:
  std::string Describe() const override { return "grpc, http/protobuf or http/json"; }
  Json Schema() const override { return {{"type", "string"}}; }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    if (scalar.text == "grpc") {
      draft.exporter.protocol = OtlpProtocol::kGrpc;
    } else if (scalar.text == "http/protobuf") {
      draft.exporter.protocol = OtlpProtocol::kHttpProtobuf;
    } else if (scalar.text == "http/json") {
      draft.exporter.protocol = OtlpProtocol::kHttpJson;
    } else {
      return false;
    }
    return true;
  }
  YamlNode Get(Draft&) const override { return {}; }
};

class ZipkinEndpointType final : public ScalarType {
 public:
  std::string Describe() const override { return "an http or https URL"; }
  Json Schema() const override { return {{"type", "string"}, {"minLength", 1}}; }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    if (!IsHttpUrl(scalar.text)) return false;
    draft.exporter.options.target = scalar.text;
    return true;
  }
  YamlNode Get(Draft& draft) const override {
    const std::string& url = draft.exporter.options.target;
    return url.empty() ? YamlNode{} : YamlNode::Scalar(MaskUserInfo(url), true);
  }
};

// A file as OpenTelemetry writes it: stdout, or a file URI; a plain path is understood too.
class OutputStreamType final : public ScalarType {
 public:
  std::string Describe() const override { return "stdout or file:///PATH"; }
  Json Schema() const override { return {{"type", "string"}, {"minLength", 1}}; }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    constexpr std::string_view kScheme = "file://";
    std::string_view text = scalar.text;
    if (text == "stdout") text = "-";
    if (text.starts_with(kScheme)) {
      text.remove_prefix(kScheme.size());
      if (!text.starts_with('/')) return false;  // file://host/path names another machine
    }
    draft.exporter.options.target = text;
    return !text.empty();
  }
  YamlNode Get(Draft& draft) const override {
    const std::string& target = draft.exporter.options.target;
    if (target == "-" || target.empty()) return YamlNode::Scalar("stdout");
    return YamlNode::Scalar(target.starts_with('/') ? "file://" + target : target, true);
  }
};

}  // namespace

namespace {

KeyTable MakeOtlpHttpKeys(Signal signal) {
  KeyTable t;
  AddTransport(t, Variables(signal));
  t.push_back(
      {"encoding", "", "", {}, "Encoding of the requests.", std::make_shared<EncodingType>()});
  AddTls(t, Variables(signal));
  if (signal == Signal::kMetrics) AddMetricChoices(t, true);
  return t;
}

KeyTable MakeOtlpGrpcKeys(Signal signal) {
  KeyTable t;
  AddTransport(t, Variables(signal));
  AddTls(t, Variables(signal));
  t.push_back(Insecure(Variables(signal)));
  if (signal == Signal::kMetrics) AddMetricChoices(t, true);
  return t;
}

KeyTable MakeOverlayKeys(Signal signal) {
  const Variables variables(signal);
  KeyTable t;
  t.push_back({"", "--otlp-protocol", "PROTOCOL", variables("PROTOCOL"),
               "grpc, http/protobuf or http/json. Default: http/protobuf, and grpc for an "
               "endpoint with port 4317.",
               std::make_shared<ProtocolType>()});
  AddTransport(t, variables);
  AddTls(t, variables);
  t.push_back(Insecure(variables));
  if (signal == Signal::kMetrics) AddMetricChoices(t, true);
  return t;
}

}  // namespace

const KeyTable& OtlpHttpKeys(Signal signal) {
  static const std::array<KeyTable, 2> tables{MakeOtlpHttpKeys(Signal::kTraces),
                                              MakeOtlpHttpKeys(Signal::kMetrics)};
  return tables.at(static_cast<size_t>(signal));
}

const KeyTable& OtlpGrpcKeys(Signal signal) {
  static const std::array<KeyTable, 2> tables{MakeOtlpGrpcKeys(Signal::kTraces),
                                              MakeOtlpGrpcKeys(Signal::kMetrics)};
  return tables.at(static_cast<size_t>(signal));
}

const KeyTable& OtlpOverlayKeys(Signal signal) {
  static const std::array<KeyTable, 2> tables{MakeOverlayKeys(Signal::kTraces),
                                              MakeOverlayKeys(Signal::kMetrics)};
  return tables.at(static_cast<size_t>(signal));
}

const KeyTable& PeriodicKeys() {
  static const KeyTable table{
      {"interval",
       "",
       "",
       {"OTEL_METRIC_EXPORT_INTERVAL"},
       "Metrics are pushed this often.",
       OtelDuration([](Draft& d) -> auto& { return d.metric_reader.options.interval; },
                    Milliseconds(100), std::chrono::hours(24))},
      {"timeout",
       "",
       "",
       {"OTEL_METRIC_EXPORT_TIMEOUT"},
       "A push may take this long, retries included; what it did not deliver is in the next one.",
       OtelDuration([](Draft& d) -> auto& { return d.metric_reader.options.timeout; },
                    Milliseconds(1), std::chrono::hours(1))}};
  return table;
}

const KeyTable& MetricConsoleKeys() {
  static const KeyTable table = [] {
    KeyTable t;
    AddMetricChoices(t, false);
    return t;
  }();
  return table;
}

const KeyTable& MetricFileKeys() {
  static const KeyTable table = [] {
    KeyTable t = FileExporterKeys();
    AddMetricChoices(t, false);
    return t;
  }();
  return table;
}

const KeyTable& FileExporterKeys() {
  static const KeyTable table{
      {"output_stream",
       "",
       "",
       {},
       "Where OTLP/JSON lines are written.",
       std::make_shared<OutputStreamType>()},
      {"max_size",
       "",
       "",
       {},
       "The file is renamed to FILE.1, FILE.1 to FILE.2 and so on before it grows beyond this; 0 "
       "is never.",
       Size([](Draft& d) -> auto& { return d.exporter.options.max_file_bytes; }, 0,
            uint64_t{1} << 40)},
      {"max_files",
       "",
       "",
       {},
       "Renamed files that are kept; the oldest is removed.",
       Count([](Draft& d) -> auto& { return d.exporter.options.max_files; }, 1, 1000)}};
  return table;
}

const KeyTable& ZipkinKeys() {
  static const KeyTable table{{"endpoint",
                               "",
                               "",
                               {"OTEL_EXPORTER_ZIPKIN_ENDPOINT"},
                               "Where spans are sent. Default: http://localhost:9411/api/v2/spans.",
                               std::make_shared<ZipkinEndpointType>()}};
  return table;
}

}  // namespace sonde::config
