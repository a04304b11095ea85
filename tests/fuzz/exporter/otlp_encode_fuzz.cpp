// SPDX-License-Identifier: Apache-2.0
// Whatever bytes a span's strings hold, both encodings must be read back by protobuf, with the same
// strings; and what the console prints must hold no control character.
#include <google/protobuf/util/json_util.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "exporter/console/line_view.h"
#include "exporter/console/tree_view.h"
#include "exporter/otlp/json_encoder.h"
#include "exporter/otlp/protobuf_encoder.h"
#include "exporter/utf8.h"
#include "opentelemetry/proto/trace/v1/trace.pb.h"
#include "unit/exporter/samples.h"

namespace {

using opentelemetry::proto::trace::v1::TracesData;

void CheckText(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') std::abort();
  }
  if (!sonde::exporter::IsValidUtf8(text)) std::abort();
}

void CheckDecoded(const TracesData& data, const std::string& expected) {
  const auto& span = data.resource_spans(0).scope_spans(0).spans(0);
  if (span.name() != expected || span.attributes(0).value().string_value() != expected)
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sonde::exporter;
  const std::string text(reinterpret_cast<const char*>(data), size);
  sonde::Span span = ServerSpan(1, MakeResource(text));
  span.name = text;
  span.tracestate = text;
  span.status_message = text;
  span.attributes.insert(span.attributes.begin(), {"fuzz", text});
  span.attributes.push_back({"error.type", text});
  span.attributes.push_back({"url.query", text});
  const std::vector<sonde::Span> batch{span};
  const std::string expected = RepairUtf8(text);
  TracesData decoded;
  ProtobufEncoder protobuf;
  if (!decoded.ParseFromString(std::string(protobuf.Encode(batch)))) std::abort();
  CheckDecoded(decoded, expected);
  JsonEncoder json;
  TracesData from_json;
  if (!google::protobuf::util::JsonStringToMessage(std::string(json.Encode(batch)), &from_json)
           .ok())
    std::abort();
  CheckDecoded(from_json, expected);
  std::string out;
  Style style;
  style.width = 40 + (size % 140);
  AppendTree(out, batch, style);
  AppendLine(out, span, style);
  CheckText(out);
  return 0;
}
