// SPDX-License-Identifier: Apache-2.0
// Every protocol sonde understands. The order is the order of detection.
#pragma once

#include "sonde/pipeline/protocol.h"

namespace sonde::protocol {

ProtocolList RegisteredProtocols();

}  // namespace sonde::protocol
