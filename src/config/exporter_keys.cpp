// SPDX-License-Identifier: Apache-2.0
// The keys of exporters.
#include <chrono>
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

std::vector<std::string> Variables(const std::string& name) {
  return {"OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name};
}

void AddTransport(KeyTable& t) {
  const auto headers = [](Draft& d) -> auto& { return d.exporter.options.otlp.headers; };
  t.push_back({"endpoint", "--otlp-endpoint", "URL", Variables("ENDPOINT"),
               "Where spans are sent. Default: http://localhost:4318, or 4317 for gRPC.",
               std::make_shared<EndpointType>()});
  t.push_back({"headers", "--otlp-header", "K=V", Variables("HEADERS"),
               "Sent with every export, for example credentials.",
               PairList(headers, {HeaderName(), true})});
  t.push_back({"headers_list",
               "",
               "",
               {},
               "The same as one text, k=v,k2=v2; the list form wins.",
               PairText(headers, {HeaderName(), true}, "headers")});
  t.push_back({"compression", "", "", Variables("COMPRESSION"), "Compression of the requests.",
               Choice<bool>([](Draft& d) -> auto& { return d.exporter.options.otlp.gzip; },
                            {{"none", false}, {"gzip", true}})});
  t.push_back({"timeout", "", "", Variables("TIMEOUT"), "How long one request may take.",
               OtelDuration([](Draft& d) -> auto& { return d.exporter.options.otlp.timeout; },
                            Milliseconds(1), std::chrono::hours(1))});
}

void AddTls(KeyTable& t) {
  t.push_back(
      {"tls.ca_file", "", "", Variables("CERTIFICATE"),
       "PEM file of the authorities that sign the receiver's certificate.",
       Text([](Draft& d) -> auto& { return d.exporter.options.otlp.certificate; }, FilePath())});
  t.push_back({"tls.cert_file", "", "", Variables("CLIENT_CERTIFICATE"),
               "PEM file of sonde's own certificate.",
               Text([](Draft& d) -> auto& { return d.exporter.options.otlp.client_certificate; },
                    FilePath())});
  t.push_back(
      {"tls.key_file", "", "", Variables("CLIENT_KEY"), "PEM file of its key.",
       Text([](Draft& d) -> auto& { return d.exporter.options.otlp.client_key; }, FilePath())});
}

Key Insecure() {
  return {"tls.insecure",
          "",
          "",
          Variables("INSECURE"),
          "An endpoint without scheme is plain text. Default: only on loopback.",
          Switch([](Draft& d) -> auto& { return d.exporter.insecure; })};
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

const KeyTable& OtlpHttpKeys() {
  static const KeyTable table = [] {
    KeyTable t;
    AddTransport(t);
    t.push_back(
        {"encoding", "", "", {}, "Encoding of the requests.", std::make_shared<EncodingType>()});
    AddTls(t);
    return t;
  }();
  return table;
}

const KeyTable& OtlpGrpcKeys() {
  static const KeyTable table = [] {
    KeyTable t;
    AddTransport(t);
    AddTls(t);
    t.push_back(Insecure());
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

const KeyTable& OtlpOverlayKeys() {
  static const KeyTable table = [] {
    KeyTable t;
    t.push_back({"", "--otlp-protocol", "PROTOCOL", Variables("PROTOCOL"),
                 "grpc, http/protobuf or http/json. Default: http/protobuf, and grpc for an "
                 "endpoint with port 4317.",
                 std::make_shared<ProtocolType>()});
    AddTransport(t);
    AddTls(t);
    t.push_back(Insecure());
    return t;
  }();
  return table;
}

}  // namespace sonde::config
