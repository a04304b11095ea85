// SPDX-License-Identifier: Apache-2.0
// Both encoders are read back with the generated protobuf code and compared with a message built
// through it.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "exporter/otlp/json_encoder.h"
#include "exporter/otlp/protobuf_encoder.h"
#include "opentelemetry/proto/trace/v1/trace.pb.h"
#include "unit/exporter/samples.h"

namespace sonde::exporter {
namespace {

namespace proto = opentelemetry::proto;
using google::protobuf::util::MessageDifferencer;

void Set(proto::common::v1::AnyValue* to, const AttributeValue& from) {
  if (const auto* text = std::get_if<std::string>(&from)) to->set_string_value(*text);
  if (const auto* number = std::get_if<int64_t>(&from)) to->set_int_value(*number);
  if (const auto* real = std::get_if<double>(&from)) to->set_double_value(*real);
  if (const auto* flag = std::get_if<bool>(&from)) to->set_bool_value(*flag);
  if (const auto* list = std::get_if<std::vector<std::string>>(&from)) {
    to->mutable_array_value();
    for (const std::string& item : *list)
      to->mutable_array_value()->add_values()->set_string_value(item);
  }
}

template <typename Message>
void SetAttributes(Message* to, const Attributes& from) {
  for (const Attribute& attribute : from) {
    auto* pair = to->add_attributes();
    pair->set_key(std::string(attribute.key));
    Set(pair->mutable_value(), attribute.value);
  }
}

// OTLP/JSON writes ids in hexadecimal, where protobuf's JSON mapping expects base64. A run of 4n
// hexadecimal digits is valid base64 too, so `ids_from_json` expects what its decoder makes of
// them.
std::string Id(std::string_view bytes, const std::string& hex, bool ids_from_json) {
  if (!ids_from_json) return std::string(bytes);
  std::string decoded;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : hex) {
    const uint32_t value =
        c >= 'a' ? static_cast<uint32_t>(c - 'a') + 26 : static_cast<uint32_t>(c - '0') + 52;
    bits = bits << 6 | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      decoded += static_cast<char>(bits >> count);
    }
  }
  return decoded;
}

void AddSpan(proto::trace::v1::ScopeSpans* scope, const Span& from, bool json) {
  auto* to = scope->add_spans();
  to->set_trace_id(Id(from.trace_id.view(), from.trace_id.ToHex(), json));
  to->set_span_id(Id(from.span_id.view(), from.span_id.ToHex(), json));
  if (from.parent_span_id.valid()) {
    to->set_parent_span_id(Id(from.parent_span_id.view(), from.parent_span_id.ToHex(), json));
  }
  to->set_trace_state(from.tracestate);
  to->set_flags(from.trace_flags | 0x100U | (from.parent_is_remote ? 0x200U : 0U));
  to->set_name(from.name);
  to->set_kind(static_cast<proto::trace::v1::Span::SpanKind>(from.kind));
  to->set_start_time_unix_nano(from.start_wall_ns);
  to->set_end_time_unix_nano(from.end_wall_ns);
  SetAttributes(to, from.attributes);
  for (const SpanLink& link : from.links) {
    auto* out = to->add_links();
    out->set_trace_id(Id(link.trace_id.view(), link.trace_id.ToHex(), json));
    out->set_span_id(Id(link.span_id.view(), link.span_id.ToHex(), json));
    SetAttributes(out, link.attributes);
  }
  if (from.status != SpanStatus::kUnset || json) {
    to->mutable_status()->set_code(static_cast<proto::trace::v1::Status::StatusCode>(from.status));
    to->mutable_status()->set_message(from.status_message);
  }
}

proto::trace::v1::ResourceSpans* AddResource(proto::trace::v1::TracesData* data,
                                             const Resource* resource, bool json) {
  auto* out = data->add_resource_spans();
  if (resource != nullptr) SetAttributes(out->mutable_resource(), resource->attributes);
  if (json) out->mutable_resource();
  auto* scope = out->add_scope_spans()->mutable_scope();
  scope->set_name("sonde");
  scope->set_version(SONDE_VERSION);
  return out;
}

proto::trace::v1::TracesData FromProtobuf(const std::vector<Span>& batch) {
  ProtobufEncoder encoder;
  proto::trace::v1::TracesData data;
  EXPECT_TRUE(data.ParseFromString(std::string(encoder.Encode(batch))));
  return data;
}

proto::trace::v1::TracesData FromJson(const std::vector<Span>& batch) {
  JsonEncoder encoder;
  const std::string line(encoder.Encode(batch));
  EXPECT_EQ(line.find('\n'), std::string::npos);
  proto::trace::v1::TracesData data;
  const auto status = google::protobuf::util::JsonStringToMessage(line, &data);
  EXPECT_TRUE(status.ok()) << status.ToString() << "\n" << line;
  return data;
}

std::string Differences(const google::protobuf::Message& a, const google::protobuf::Message& b) {
  std::string report;
  MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&report);
  differencer.Compare(a, b);
  return report;
}

class EncoderTest : public testing::TestWithParam<bool> {
 protected:
  bool json() const { return GetParam(); }
  proto::trace::v1::TracesData Decode(const std::vector<Span>& batch) const {
    return json() ? FromJson(batch) : FromProtobuf(batch);
  }
};

TEST_P(EncoderTest, EverySpanGroupedByResourceInOrderOfAppearance) {
  const auto shop = MakeResource("shop");
  const auto cart = MakeResource("cart");
  const std::vector<Span> batch = {ServerSpan(1, shop), HardSpan(2, cart), HardSpan(3, shop),
                                   ServerSpan(4, nullptr), ClientSpan(5, ServerSpan(1, shop))};
  proto::trace::v1::TracesData expected;
  auto* first = AddResource(&expected, shop.get(), json())->mutable_scope_spans(0);
  for (const size_t i : {0, 2, 4}) AddSpan(first, batch[i], json());
  AddSpan(AddResource(&expected, cart.get(), json())->mutable_scope_spans(0), batch[1], json());
  AddSpan(AddResource(&expected, nullptr, json())->mutable_scope_spans(0), batch[3], json());
  EXPECT_EQ(Differences(expected, Decode(batch)), "");
}

TEST_P(EncoderTest, EmptyBatch) { EXPECT_EQ(Decode({}).resource_spans_size(), 0); }

TEST_P(EncoderTest, EncoderKeepsNothingOfTheBatchBefore) {
  const auto shop = MakeResource("shop");
  ProtobufEncoder protobuf;
  JsonEncoder text;
  const std::vector<Span> large(300, HardSpan(1, shop));
  const std::vector<Span> small{ServerSpan(2, nullptr)};
  const std::string protobuf_once(ProtobufEncoder().Encode(small));
  const std::string text_once(JsonEncoder().Encode(small));
  EXPECT_GT(protobuf.Encode(large).size(), 300 * 5000U);
  EXPECT_GT(text.Encode(large).size(), 300 * 5000U);
  EXPECT_EQ(protobuf.Encode(small), protobuf_once);
  EXPECT_EQ(text.Encode(small), text_once);
}

TEST_P(EncoderTest, EveryLengthAroundVarintAndWordBoundaries) {
  for (const size_t length : {0,   1,   7,   8,   9,   15,  16,     17,     100,    110,   120,
                              125, 126, 127, 128, 129, 130, 16'300, 16'383, 16'384, 16'500}) {
    Span span = ServerSpan(length + 1, nullptr);
    span.attributes = {{"k", std::string(length, 'v')},
                       {"list", std::vector<std::string>{std::string(length, 'w')}}};
    span.name = std::string(length, 'n');
    const auto data = Decode({span});
    const auto& decoded = data.resource_spans(0).scope_spans(0).spans(0);
    EXPECT_EQ(decoded.name(), span.name);
    EXPECT_EQ(decoded.attributes(0).value().string_value(), std::string(length, 'v'));
    EXPECT_EQ(decoded.attributes(1).value().array_value().values(0).string_value(),
              std::string(length, 'w'));
  }
}

TEST_P(EncoderTest, IllFormedUtf8IsReplacedEverywhere) {
  const std::string bad = "ok\xff\xc3(\xe2\x82 \xed\xa0\x80 \xf0\x9f\x8d end\xc3";
  const std::string good =
      "ok\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd "
      "end\xef\xbf\xbd";
  Span span = ServerSpan(1, nullptr);
  span.name = bad;
  span.tracestate = bad;
  span.status = SpanStatus::kError;
  span.status_message = bad;
  span.attributes = {{"a", bad}, {"b", std::vector<std::string>{bad}}};
  const auto data = Decode({span});
  const auto& decoded = data.resource_spans(0).scope_spans(0).spans(0);
  EXPECT_EQ(decoded.name(), good);
  EXPECT_EQ(decoded.trace_state(), good);
  EXPECT_EQ(decoded.status().message(), good);
  EXPECT_EQ(decoded.attributes(0).value().string_value(), good);
  EXPECT_EQ(decoded.attributes(1).value().array_value().values(0).string_value(), good);
}

TEST_P(EncoderTest, EveryByteAtEveryOffsetOfAWord) {
  for (int byte = 0; byte < 128; ++byte) {
    for (size_t offset = 0; offset < 9; ++offset) {
      Span span = ServerSpan(1, nullptr);
      std::string text(17, 'a');
      text[offset] = static_cast<char>(byte);
      span.attributes = {{"k", text}};
      EXPECT_EQ(Decode({span})
                    .resource_spans(0)
                    .scope_spans(0)
                    .spans(0)
                    .attributes(0)
                    .value()
                    .string_value(),
                text);
    }
  }
}

TEST_P(EncoderTest, NotANumberAndInfinity) {
  const double infinity = std::numeric_limits<double>::infinity();
  Span span = ServerSpan(1, nullptr);
  span.attributes = {{"nan", std::nan("")}, {"inf", infinity}, {"minus", -infinity}};
  const auto data = Decode({span});
  const auto& values = data.resource_spans(0).scope_spans(0).spans(0).attributes();
  EXPECT_TRUE(std::isnan(values[0].value().double_value()));
  EXPECT_EQ(values[1].value().double_value(), infinity);
  EXPECT_EQ(values[2].value().double_value(), -infinity);
}

INSTANTIATE_TEST_SUITE_P(Otlp, EncoderTest, testing::Bool(),
                         [](const auto& instance) { return instance.param ? "Json" : "Protobuf"; });

// The names and forms that the OTLP specification gives for JSON, which protobuf's lenient parser
// would not insist on.
TEST(JsonEncoderTest, WritesTheFormsOfTheSpecification) {
  Span span = ServerSpan(1, MakeResource("shop"));
  span.parent_span_id = *SpanId::FromHex("00f067aa0ba902b7");
  span.trace_id = *TraceId::FromHex("4bf92f3577b34da6a3ce929d0e0e4736");
  JsonEncoder encoder;
  const std::string line(encoder.Encode(std::vector<Span>{span}));
  EXPECT_TRUE(
      line.starts_with(R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name")"))
      << line;
  for (const char* part :
       {R"("traceId":"4bf92f3577b34da6a3ce929d0e0e4736")", R"("parentSpanId":"00f067aa0ba902b7")",
        R"("kind":2)", R"("startTimeUnixNano":"1795262400000000000")", R"("flags":257)",
        R"({"key":"http.response.status_code","value":{"intValue":"200"}})"}) {
    EXPECT_THAT(line, testing::HasSubstr(part));
  }
}

}  // namespace
}  // namespace sonde::exporter
