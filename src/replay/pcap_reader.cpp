// SPDX-License-Identifier: Apache-2.0
#include "replay/pcap_reader.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "replay/flow_table.h"
#include "replay/packet.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/event.h"

namespace sonde::replay {
namespace {

constexpr uint64_t kTickNs = 10'000'000;

using File = std::unique_ptr<pcap_t, void (*)(pcap_t*)>;

Counter& Dropped(MetricRegistry& metrics, const char* reason) {
  return metrics.AddCounter("sonde_events_dropped_total",
                            "Events or parts of them given up, by reason.", {{"reason", reason}});
}

class PacketLoop {
 public:
  PacketLoop(EventHandler& handler, MetricRegistry& metrics)
      : handler_(handler),
        flows_(handler, metrics),
        other_(Dropped(metrics, "packet_not_tcp")),
        fragment_(Dropped(metrics, "packet_fragment")),
        cut_(Dropped(metrics, "packet_cut")) {}

  // A file that is cut off or damaged ends the loop where it is.
  void Run(pcap_t* file) {
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    const int link_type = pcap_datalink(file);
    while (pcap_next_ex(file, &header, &data) == 1) {
      // Nanoseconds stand in tv_usec, as asked for when the file was opened.
      const uint64_t time_ns = (static_cast<uint64_t>(header->ts.tv_sec) * 1'000'000'000) +
                               static_cast<uint64_t>(header->ts.tv_usec);
      Tick(time_ns);
      OnFrame(link_type, time_ns, {reinterpret_cast<const char*>(data), header->caplen});
    }
    handler_.OnTick(now_ns_);
  }

 private:
  void OnFrame(int link_type, uint64_t time_ns, std::string_view frame) {
    Segment segment;
    switch (ParseFrame(link_type, frame, segment)) {
      case FrameKind::kTcp:
        flows_.OnSegment(segment, time_ns);
        return;
      case FrameKind::kOther:
        other_.Add();
        return;
      case FrameKind::kFragment:
        fragment_.Add();
        return;
      case FrameKind::kCut:
        cut_.Add();
        return;
    }
  }

  // Packets may go back in time a little; timers never do.
  void Tick(uint64_t time_ns) {
    now_ns_ = std::max(now_ns_, time_ns);
    if (now_ns_ - ticked_ns_ < kTickNs) return;
    ticked_ns_ = now_ns_;
    handler_.OnTick(now_ns_);
  }

  EventHandler& handler_;
  FlowTable flows_;
  Counter& other_;
  Counter& fragment_;
  Counter& cut_;
  uint64_t now_ns_ = 0;
  uint64_t ticked_ns_ = 0;
};

}  // namespace

Status ReplayPcap(const std::string& path, EventHandler& handler, MetricRegistry& metrics) {
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  const File file(pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO,
                                                          error.data()),
                  pcap_close);
  if (file == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": neither a recording nor a packet capture: ", error.data()));
  }
  PacketLoop(handler, metrics).Run(file.get());
  return absl::OkStatus();
}

Status ReplayPcapStream(std::FILE* stream, EventHandler& handler, MetricRegistry& metrics) {
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  const File file(
      pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, error.data()),
      pcap_close);
  if (file == nullptr) {
    std::fclose(stream);
    return absl::InvalidArgumentError(absl::StrCat("no packet capture: ", error.data()));
  }
  PacketLoop(handler, metrics).Run(file.get());
  return absl::OkStatus();
}

}  // namespace sonde::replay
