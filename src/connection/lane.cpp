// SPDX-License-Identifier: Apache-2.0
#include "connection/lane.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "connection/segment.h"

namespace sonde::connection {
namespace {

// A jump of more than this is no loss and no repetition but a new numbering.
constexpr uint64_t kRestartBack = 64U << 20;
constexpr uint64_t kRestartAhead = 1U << 30;
// Charged per held record beside its bytes.
constexpr size_t kHeldBytes = 128;

}  // namespace

bool Lane::Restarted(uint64_t offset, uint64_t length) const {
  if (!stream_.begun()) return false;
  const uint64_t end = stream_.end();
  // Byte counts of a socket whose kernel state was made anew start at 0.
  if (wide_ && offset == Stream::kBias && offset + length < end) return true;
  return offset + kRestartBack < end || offset > end + stream_.skipping() + kRestartAhead;
}

bool Lane::Admit(Segment& segment, uint64_t now_ns, bool may_repair) {
  const uint64_t end = stream_.end();
  if (segment.offset == end) return true;
  if (segment.offset < end) {
    const uint64_t old = end - segment.offset;
    if (old >= segment.length) {
      environment_.duplicates.Add();
      return false;
    }
    segment.TrimFront(old);
    return true;
  }
  // Bytes that nobody wants need no order: the stream moves over the hole as well.
  if (segment.offset - end <= stream_.skipping()) {
    stream_.Offer({.offset = end,
                   .length = segment.offset - end,
                   .prefix = {},
                   .tail = {},
                   .mark = {},
                   .lost = true});
    stream_.Keep();
    return true;
  }
  if (may_repair && RepairTwoWriters(segment)) return true;
  Hold(segment, now_ns);
  return false;
}

bool Lane::RepairTwoWriters(Segment& segment) {
  // Two threads wrote one after the other, and the first one's position was read after the second
  // one's write: both seem to end at the same byte, and a hole of the size of their overlap stands
  // before them. Laid out one behind the other by their lengths they fill it exactly. The one that
  // reported last is taken for the delayed, first one.
  if (held_.empty()) return false;
  const Segment& first = held_.front().segment;
  if (first.end() != segment.end()) return false;
  if (stream_.end() + segment.length + first.length != first.end()) return false;
  segment.offset = stream_.end();
  environment_.repairs.Add();
  return true;
}

void Lane::Hold(const Segment& segment, uint64_t now_ns) {
  const auto at = std::ranges::upper_bound(held_, segment.offset, {},
                                           [](const Held& held) { return held.segment.offset; });
  if (at != held_.begin() && std::prev(at)->segment.offset == segment.offset &&
      std::prev(at)->segment.length >= segment.length) {
    environment_.duplicates.Add();
    return;
  }
  if (!account_.Take(segment.prefix.size() + segment.tail.size() + kHeldBytes)) return;
  Held held{.segment = segment,
            .bytes = std::string(segment.prefix),
            .prefix_bytes = segment.prefix.size(),
            .since_ns = now_ns};
  held.bytes.append(segment.tail);
  held.segment.prefix = held.segment.tail = {};
  held_.insert(at, std::move(held));
}

Segment Lane::Held::View() const {
  Segment view = segment;
  view.prefix = std::string_view(bytes).substr(0, prefix_bytes);
  view.tail = std::string_view(bytes).substr(prefix_bytes);
  return view;
}

const uint64_t* Lane::NextReadyNs() const {
  if (held_.empty()) return nullptr;
  const Segment& next = held_.front().segment;
  return next.offset > stream_.end() + stream_.skipping() ? nullptr : &next.mark.mono_ns;
}

bool Lane::TakeReady(Held& held) {
  if (held_.empty() || held_.front().segment.offset > stream_.end() + stream_.skipping())
    return false;
  held = std::move(held_.front());
  held_.erase(held_.begin());
  account_.Give(held.bytes.size() + kHeldBytes);
  return true;
}

bool Lane::GapIsDue(uint64_t now_ns, const GapPatience& patience) const {
  if (held_.empty()) return false;
  if (held_.back().segment.end() - stream_.end() > patience.later_bytes + Gap().length) return true;
  return std::ranges::any_of(
      held_, [&](const Held& held) { return now_ns >= held.since_ns + patience.wait_ns; });
}

Segment Lane::Gap() const {
  return {.offset = stream_.end(),
          .length = held_.front().segment.offset - stream_.end(),
          .prefix = {},
          .tail = {},
          .mark = {},
          .lost = true};
}

void Lane::SetEnd(uint64_t offset, uint64_t now_ns) {
  if (has_end_) return;
  has_end_ = true;
  end_offset_ = offset;
  end_since_ns_ = now_ns;
}

}  // namespace sonde::connection
