// SPDX-License-Identifier: Apache-2.0
#include "replay/flow_table.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "replay/packet.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"

namespace sonde::replay {
namespace {

// A flow is some 100 bytes, and stays until its ports are used again or it is reset.
constexpr size_t kMaxFlows = 1'000'000;

}  // namespace

FlowTable::FlowTable(EventHandler& handler, MetricRegistry& metrics)
    : handler_(handler),
      refused_(metrics.AddCounter("sonde_events_dropped_total",
                                  "Events or parts of them given up, by reason.",
                                  {{"reason", "packet_flow_limit"}})) {}

FlowTable::Key FlowTable::KeyOf(const Segment& segment) {
  const auto before = [](const Endpoint& a, const Endpoint& b) {
    return std::pair(a.address, a.port) < std::pair(b.address, b.port);
  };
  const bool in_order = before(segment.source, segment.destination);
  const Endpoint& first = in_order ? segment.source : segment.destination;
  const Endpoint& second = in_order ? segment.destination : segment.source;
  Key key{};
  auto out = key.begin();
  for (const Endpoint* end : {&first, &second}) {
    out = std::ranges::copy(end->address, out).out;
    *out++ = static_cast<uint8_t>(end->port >> 8);
    *out++ = static_cast<uint8_t>(end->port & 255);
  }
  return key;
}

void FlowTable::OnSegment(const Segment& segment, uint64_t time_ns) {
  const Key key = KeyOf(segment);
  auto found = flows_.find(key);
  if (found == flows_.end()) {
    // The last ACKs of a connection, or of one that carried nothing since the capture began.
    if (segment.length == 0 && !segment.syn) return;
    if (flows_.size() >= kMaxFlows) {
      refused_.Add();
      return;
    }
    found = flows_.emplace(key, Flow{}).first;
    Open(segment, time_ns, found->second);
  } else if (segment.syn && !segment.ack && found->second.has_data) {
    Close(found->second, time_ns);
    Open(segment, time_ns, found->second);
  }
  Deliver(segment, time_ns, found->second);
  if (segment.rst) {
    Close(found->second, time_ns);
    flows_.erase(found);
  }
}

// Who receives the SYN is the server. Without one, the lower port is taken for it; the connection
// stage puts it right when a request flows the other way.
void FlowTable::Open(const Segment& segment, uint64_t time_ns, Flow& flow) {
  const bool from_server =
      segment.syn ? segment.ack : segment.source.port < segment.destination.port;
  flow = {.id = ++last_id_, .server = from_server ? segment.source : segment.destination};
  handler_.OnOpen({.mono_ns = time_ns,
                   .connection = flow.id,
                   .who = {},
                   .wire = true,
                   .local = flow.server,
                   .remote = from_server ? segment.destination : segment.source});
}

void FlowTable::Close(const Flow& flow, uint64_t time_ns) {
  handler_.OnShutdown({.mono_ns = time_ns, .connection = flow.id, .receive = true, .send = true});
}

void FlowTable::Deliver(const Segment& segment, uint64_t time_ns, Flow& flow) {
  const bool to_server = segment.destination == flow.server;
  // RFC 9293 3.4: a SYN takes one number. A record of length 0 says where the stream begins.
  const uint32_t position = segment.sequence + (segment.syn ? 1U : 0U);
  DataEvent data{.mono_ns = time_ns,
                 .connection = flow.id,
                 .position = position,
                 .who = {},
                 .direction = to_server ? Direction::kReceive : Direction::kSend,
                 .prefix = {},
                 .tail = {}};
  if (segment.syn) handler_.OnData(data);
  if (segment.length > 0) {
    flow.has_data = true;
    data.length = segment.length;
    data.prefix = segment.payload;
    handler_.OnData(data);
  }
  if (segment.fin) {
    handler_.OnShutdown({.mono_ns = time_ns,
                         .connection = flow.id,
                         .receive = to_server,
                         .send = !to_server,
                         .has_position = true,
                         .position = position + segment.length});
  }
}

}  // namespace sonde::replay
