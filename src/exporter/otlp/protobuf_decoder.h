// SPDX-License-Identifier: Apache-2.0
// The way back from ProtobufEncoder: a batch from a queue on disk as spans, for any exporter. Reads
// what the encoder writes, of this version or another; bytes that are no such message give null.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "sonde/pipeline/span.h"

namespace sonde::exporter {

// What is not exported (tgid, protocol, end_mono_ns) is lost. The keys of the attributes live as
// long as the batch and its resources.
std::shared_ptr<const std::vector<Span>> DecodeProtobuf(std::string_view bytes);

}  // namespace sonde::exporter
