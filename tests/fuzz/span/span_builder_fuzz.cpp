// SPDX-License-Identifier: Apache-2.0
// Any request line and headers: a span comes out whose texts are valid UTF-8 and within limits,
// with no user info in url.full and a name that holds no query.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sonde/base/clock.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/span_builder.h"
#include "span/utf8.h"

namespace {

constexpr size_t kMaxValue = 200;

void Require(bool condition) {
  if (!condition) std::abort();
}

std::string_view TakeLine(std::string_view& rest) {
  const std::string_view line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : line.size());
  return line;
}

void CheckText(const std::string& text) {
  std::string again;
  sonde::span::AppendUtf8(text, std::string::npos, again);
  Require(again == text);
  Require(text.size() <= 4 * kMaxValue);
}

void Check(const sonde::Span& span) {
  Require(!span.name.empty() && span.name.find('?') == std::string::npos);
  for (const sonde::Attribute& attribute : span.attributes) {
    if (const auto* text = std::get_if<std::string>(&attribute.value)) CheckText(*text);
    if (const auto* list = std::get_if<std::vector<std::string>>(&attribute.value)) {
      for (const std::string& item : *list) CheckText(item);
    }
  }
}

}  // namespace

// Input: status digit and role, then lines: method, target, headers "name:value".
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  static sonde::MetricRegistry metrics;
  // One builder for all inputs, so that what is learnt meets new paths.
  static const auto builder =
      sonde::span::SpanBuilder::Create({.patterns = {"/p/{x}"}, .max_per_service = 20},
                                       {.request_headers = {"x-a"},
                                        .response_headers = {},
                                        .query_keys = {},
                                        .baggage_keys = {"a"}},
                                       {.value_length = kMaxValue, .count = 40}, metrics)
          .value();
  sonde::ConnectionInfo connection;
  sonde::HttpExchange http;
  sonde::Exchange exchange;
  exchange.protocol = "http1";
  exchange.connection = &connection;
  exchange.request.seen = exchange.response.seen = true;
  exchange.role = (data[0] & 1) != 0 ? sonde::Role::kClient : sonde::Role::kServer;
  http.response.status = (data[0] >> 1) * 10U;
  connection.remote.family = data[1] % 8;
  std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  http.request.method = TakeLine(rest);
  http.request.target = TakeLine(rest);
  while (!rest.empty()) {
    const std::string_view line = TakeLine(rest);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    http.request.headers.push_back(
        {std::string(line.substr(0, colon)), std::string(line.substr(colon + 1))});
  }
  exchange.detail = std::move(http);
  Check(builder->Build(exchange, {.attributes = {}, .service_name = "s"}, sonde::WallClock(0)));
  return 0;
}
