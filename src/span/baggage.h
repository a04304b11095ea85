// SPDX-License-Identifier: Apache-2.0
// Baggage that a request carries: the header `baggage` of W3C, Jaeger's uberctx-KEY, OpenTracing's
// ot-baggage-KEY. Only allowed keys become attributes, as baggage.KEY: values are the users' own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "span/attribute_writer.h"

namespace sonde::span {

class Baggage {
 public:
  // Keys as W3C's, case-sensitive; in header names their case is lost.
  explicit Baggage(const std::vector<std::string>& keys);

  // Of a key that stands several times the last counts, as in the SDKs.
  void Describe(const std::vector<HttpHeader>& headers, AttributeWriter& writer) const;

 private:
  struct Allowed {
    std::string key;
    std::string_view attribute;  // interned
    std::string jaeger_header;
    std::string opentracing_header;
  };
  std::vector<Allowed> allowed_;
};

}  // namespace sonde::span
