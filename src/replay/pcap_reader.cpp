// SPDX-License-Identifier: Apache-2.0
#include "replay/pcap_reader.h"

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "replay/packet.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/event.h"

namespace sonde::replay {
namespace {

constexpr uint64_t kTickNs = 10'000'000;
constexpr size_t kMaxFlows = 1'000'000;

// Both directions of a flow have the same key: addresses and ports in a fixed order.
std::string FlowKey(const Endpoint& a, const Endpoint& b) {
  const auto text = [](const Endpoint& end) {
    std::string key(reinterpret_cast<const char*>(end.address.data()), end.address.size());
    key.push_back(static_cast<char>(end.port >> 8));
    key.push_back(static_cast<char>(end.port & 255));
    return key;
  };
  std::string first = text(a);
  std::string second = text(b);
  return first < second ? first + second : second + first;
}

class Replayer {
 public:
  Replayer(EventHandler& handler, MetricRegistry& metrics)
      : handler_(handler),
        other_(metrics.AddCounter("sonde_events_dropped_total", "Events and bytes that were given up, by reason.",
                                  {{"reason", "packet_not_tcp"}})) {}

  void OnPacket(int link_type, uint64_t time_ns, std::string_view frame) {
    Tick(time_ns);
    const auto segment = ParseFrame(link_type, frame);
    if (!segment) {
      other_.Add();
      return;
    }
    Deliver(*segment, time_ns);
  }

  void Finish() { handler_.OnTick(now_ns_); }

 private:
  struct Flow {
    ConnectionId id = 0;
    Endpoint server;
  };

  void Tick(uint64_t time_ns) {
    now_ns_ = std::max(now_ns_, time_ns);
    if (now_ns_ - ticked_ns_ < kTickNs) return;
    ticked_ns_ = now_ns_;
    handler_.OnTick(now_ns_);
  }

  // Who receives the SYN is the server; without one, the lower port is taken for it (a request that flows the other way
  // is put right by the connection stage).
  Flow& Open(const Segment& segment, uint64_t time_ns, Flow& flow) {
    const bool from_server = segment.syn ? segment.ack : segment.source.port < segment.destination.port;
    flow.id = ++last_id_;
    flow.server = from_server ? segment.source : segment.destination;
    handler_.OnOpen({.mono_ns = time_ns,
                     .connection = flow.id,
                     .who = {},
                     .wire = true,
                     .local = flow.server,
                     .remote = from_server ? segment.destination : segment.source});
    return flow;
  }

  void Deliver(const Segment& segment, uint64_t time_ns) {
    const std::string key = FlowKey(segment.source, segment.destination);
    const bool first_syn = segment.syn && !segment.ack;
    auto found = flows_.find(key);
    if (found == flows_.end()) {
      if (flows_.size() >= kMaxFlows || (segment.length == 0 && !segment.syn)) return;
      found = flows_.emplace(key, Flow{}).first;
      Open(segment, time_ns, found->second);
    } else if (first_syn && started_[found->second.id]) {
      // The ports are used again: the old connection is over.
      Close(found->second.id, time_ns);
      Open(segment, time_ns, found->second);
    }
    Flow& flow = found->second;
    const Direction direction =
        segment.destination == flow.server ? Direction::kReceive : Direction::kSend;
    if (segment.syn) {
      // The position at which the direction begins.
      handler_.OnData({.mono_ns = time_ns, .connection = flow.id, .position = segment.sequence + 1U, .who = {},
                       .direction = direction, .prefix = {}, .tail = {}});
      return;
    }
    if (segment.length > 0) {
      started_[flow.id] = true;
      handler_.OnData({.mono_ns = time_ns,
                       .connection = flow.id,
                       .position = segment.sequence,
                       .who = {},
                       .length = segment.length,
                       .direction = direction,
                       .prefix = segment.payload,
                       .tail = {}});
    }
    if (segment.rst) {
      Close(flow.id, time_ns);
      flows_.erase(key);
    } else if (segment.fin) {
      handler_.OnShutdown({.mono_ns = time_ns,
                           .connection = flow.id,
                           .receive = direction == Direction::kReceive,
                           .send = direction == Direction::kSend,
                           .has_position = true,
                           .position = static_cast<uint32_t>(segment.sequence + segment.length)});
    }
  }

  void Close(ConnectionId id, uint64_t time_ns) {
    handler_.OnShutdown({.mono_ns = time_ns, .connection = id, .receive = true, .send = true});
  }

  EventHandler& handler_;
  Counter& other_;
  absl::flat_hash_map<std::string, Flow> flows_;
  absl::flat_hash_map<ConnectionId, bool> started_;
  ConnectionId last_id_ = 0;
  uint64_t now_ns_ = 0;
  uint64_t ticked_ns_ = 0;
};

}  // namespace

Status ReplayPcap(const std::string& path, EventHandler& handler, MetricRegistry& metrics) {
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> file(
      pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error.data()), pcap_close);
  if (file == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": neither a recording nor a packet capture: ", error.data()));
  }
  Replayer replayer(handler, metrics);
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  while (pcap_next_ex(file.get(), &header, &data) == 1) {
    const uint64_t time_ns = (static_cast<uint64_t>(header->ts.tv_sec) * 1'000'000'000) +
                             static_cast<uint64_t>(header->ts.tv_usec);  // nanoseconds, as asked for
    replayer.OnPacket(pcap_datalink(file.get()), time_ns,
                      {reinterpret_cast<const char*>(data), header->caplen});
  }
  replayer.Finish();
  return absl::OkStatus();
}

}  // namespace sonde::replay
