// SPDX-License-Identifier: Apache-2.0
// A batch as OTLP/JSON: one TracesData object on one line. Ids are hexadecimal, names
// lowerCamelCase, 64-bit integers strings, enums numbers (OTLP specification, "JSON Protobuf
// Encoding"). One thread.
#pragma once

#include <span>
#include <string_view>

#include "exporter/byte_buffer.h"
#include "exporter/resource_groups.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class JsonEncoder {
 public:
  // Without a line break; valid until the next call.
  std::string_view Encode(std::span<const Span> batch);

 private:
  ByteBuffer out_;
  ResourceGroups groups_;
};

}  // namespace sonde::exporter
