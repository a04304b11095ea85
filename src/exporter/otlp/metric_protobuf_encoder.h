// SPDX-License-Identifier: Apache-2.0
// Metrics as ExportMetricsServiceRequest (the same bytes as MetricsData) in protobuf. One thread.
#pragma once

#include <string_view>

#include "exporter/byte_buffer.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

class MetricProtobufEncoder {
 public:
  // `exponential`: histograms by their exponential buckets. Valid until the next call.
  std::string_view Encode(const MetricBatch& batch, bool exponential);

 private:
  ByteBuffer out_;
};

}  // namespace sonde::exporter
