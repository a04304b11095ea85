// SPDX-License-Identifier: Apache-2.0
// What the JSON requests of all signals share.
#pragma once

#include "exporter/json_writer.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

// "attributes":[...]
void PutAttributes(JsonWriter& json, const Attributes& attributes);
// "resource":{...}, empty if it is null.
void PutResource(JsonWriter& json, const Resource* resource);
// "scope":{...}: sonde's own, the only one.
void PutScope(JsonWriter& json);

}  // namespace sonde::exporter
