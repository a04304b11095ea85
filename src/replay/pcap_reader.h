// SPDX-License-Identifier: Apache-2.0
// A pcap or pcapng file as events: TCP segments become records of one connection seen from the
// server's side. The connection stage does the reassembly. mono_ns is the packet's Unix time: the
// wall clock's offset is 0.
#pragma once

#include <cstdio>
#include <string>

#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/event.h"

namespace sonde::replay {

// kInvalidArgument: no capture file. A file that is cut off is replayed up to there.
Status ReplayPcap(const std::string& path, EventHandler& handler, MetricRegistry& metrics);
// The same from a stream, which is closed.
Status ReplayPcapStream(std::FILE* stream, EventHandler& handler, MetricRegistry& metrics);

}  // namespace sonde::replay
