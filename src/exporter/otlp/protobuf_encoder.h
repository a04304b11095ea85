// SPDX-License-Identifier: Apache-2.0
// A batch as ExportTraceServiceRequest (the same bytes as TracesData) in protobuf: the body of
// OTLP/gRPC and OTLP/HTTP. One thread.
#pragma once

#include <span>
#include <string_view>

#include "exporter/byte_buffer.h"
#include "exporter/resource_groups.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class ProtobufEncoder {
 public:
  // Valid until the next call.
  std::string_view Encode(std::span<const Span> batch);

 private:
  ByteBuffer out_;
  ResourceGroups groups_;
};

}  // namespace sonde::exporter
