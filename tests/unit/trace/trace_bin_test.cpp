// SPDX-License-Identifier: Apache-2.0
#include "trace/propagation/trace_bin.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "trace/link_method.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kParent = "00f067aa0ba902b7";

// Version, trace id, span id, options, as OpenCensus' encodings/BinaryEncoding.md lays them out.
std::string Bytes() {
  std::string bytes(2, '\0');
  bytes += TraceId::FromHex(kTrace)->view();
  bytes += '\1';
  bytes += SpanId::FromHex(kParent)->view();
  return bytes + "\2\1";
}
// The same in base64, as a gRPC library sends it.
const std::string kText = "AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE";

TEST(TraceBinTest, Valid) {
  for (const std::string& text : {kText, kText + "="}) {
    const auto context = ExtractTraceBin({{"te", "trailers"}, {"grpc-trace-bin", text}});
    ASSERT_TRUE(context) << text;
    EXPECT_EQ(context->trace_id.ToHex(), kTrace);
    EXPECT_EQ(context->span_id.ToHex(), kParent);
    EXPECT_EQ(context->flags, 1);
    EXPECT_EQ(context->format, LinkMethod::kGrpcTraceBin);
  }
}

TEST(TraceBinTest, OptionsMayBeMissingAndMoreMayFollow) {
  const std::string bytes = Bytes();
  EXPECT_EQ(ParseTraceBin(bytes.substr(0, 27))->flags, 0);
  EXPECT_EQ(ParseTraceBin(bytes.substr(0, 27) + "\7what")->flags, 0);
  EXPECT_EQ(ParseTraceBin(bytes + "\3more")->flags, 1);
  EXPECT_EQ(ParseTraceBin(bytes.substr(0, 28) + "\xff")->flags, 1);
}

TEST(TraceBinTest, Invalid) {
  const std::string bytes = Bytes();
  for (size_t size = 0; size < 27; ++size) {
    EXPECT_FALSE(ParseTraceBin(bytes.substr(0, size))) << size;
  }
  EXPECT_FALSE(ParseTraceBin("\1" + bytes.substr(1)));
  std::string zero = bytes;
  zero.replace(2, 16, 16, '\0');
  EXPECT_FALSE(ParseTraceBin(zero));
  zero = bytes;
  zero.replace(19, 8, 8, '\0');
  EXPECT_FALSE(ParseTraceBin(zero));
  std::string swapped = bytes.substr(0, 1) + bytes.substr(18, 9) + bytes.substr(1, 17);
  EXPECT_FALSE(ParseTraceBin(swapped));
  EXPECT_FALSE(ExtractTraceBin({}));
  EXPECT_FALSE(ExtractTraceBin({{"grpc-trace-bin", kText}, {"grpc-trace-bin", kText}}));
  EXPECT_FALSE(ExtractTraceBin({{"grpc-trace-bin", "not base64!"}}));
  EXPECT_FALSE(ExtractTraceBin({{"grpc-trace-bin", std::string(10'000, 'A')}}));
}

TEST(TraceBinTest, ReadWhereThereIsNoTraceparent) {
  const auto propagators = Propagators::Create({"tracecontext"});
  ASSERT_TRUE(propagators.ok());
  const std::string other = "00-11111111111111111111111111111111-2222222222222222-00";
  const auto both = propagators->Extract({{"grpc-trace-bin", kText}, {"traceparent", other}});
  EXPECT_EQ(both->span_id.ToHex(), "2222222222222222");
  EXPECT_EQ(both->format, LinkMethod::kTraceparent);
  EXPECT_EQ(propagators->Extract({{"grpc-trace-bin", kText}})->span_id.ToHex(), kParent);
  EXPECT_FALSE(Propagators::Create({"none"})->Extract({{"grpc-trace-bin", kText}}));
}

}  // namespace
}  // namespace sonde::trace
