// SPDX-License-Identifier: Apache-2.0
// What the protobuf requests of all signals share.
#pragma once

#include "exporter/otlp/proto_writer.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

// Each as a KeyValue in the repeated `field`.
void PutAttributes(ProtoWriter& writer, int field, const Attributes& attributes);
// Nothing if it is null.
void PutResource(ProtoWriter& writer, int field, const Resource* resource);
// sonde's own, the only one.
void PutScope(ProtoWriter& writer, int field);

}  // namespace sonde::exporter
