// SPDX-License-Identifier: Apache-2.0
// A batch as a Zipkin v2 JSON array, after OpenTelemetry's "SDK exporter: Zipkin" mapping. One
// thread.
#pragma once

#include <span>
#include <string_view>

#include "exporter/byte_buffer.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class ZipkinEncoder {
 public:
  // Valid until the next call.
  std::string_view Encode(std::span<const Span> batch);

 private:
  ByteBuffer out_;
  ByteBuffer tag_;
};

}  // namespace sonde::exporter
