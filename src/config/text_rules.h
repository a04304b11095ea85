// SPDX-License-Identifier: Apache-2.0
// What the texts of single keys must look like.
#pragma once

#include "config/key_types.h"

namespace sonde::config {

TextRule FileFormat();
TextRule FilePath();
TextRule ListenAddress();
TextRule FamilyName();
TextRule HeaderName();
TextRule BaggageKey();
TextRule AttributeName();
TextRule RoutePattern();
// --service-name and OTEL_SERVICE_NAME: the attribute service.name.
TypePtr ServiceName();

}  // namespace sonde::config
