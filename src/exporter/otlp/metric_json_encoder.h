// SPDX-License-Identifier: Apache-2.0
// Metrics as OTLP/JSON: one MetricsData object on one line, by the rules of JsonEncoder. One
// thread.
#pragma once

#include <string_view>

#include "exporter/byte_buffer.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

class MetricJsonEncoder {
 public:
  // `exponential`: histograms by their exponential buckets. Without a line break; valid until the
  // next call.
  std::string_view Encode(const MetricBatch& batch, bool exponential);

 private:
  ByteBuffer out_;
};

}  // namespace sonde::exporter
