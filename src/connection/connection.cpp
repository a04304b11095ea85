// SPDX-License-Identifier: Apache-2.0
#include "connection/connection.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "connection/environment.h"
#include "connection/lane.h"
#include "connection/segment.h"
#include "connection/stream.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::connection {
namespace {

// A start line longer than this is no start line.
constexpr size_t kDetectBytes = 8192;
// The first record seen may lie in the middle of a body, and so may its answer; but by the third
// turn a message must have begun. A one-sided stream gets more time: it may be one long body.
constexpr uint8_t kStrangeTurns = 3;
constexpr uint16_t kStrangeRecords = 512;

constexpr Direction kBoth[] = {Direction::kReceive, Direction::kSend};

}  // namespace

Connection::Active::Active(Environment& environment, bool wide)
    : account(environment.buffers),
      lanes{Lane(environment, account, wide), Lane(environment, account, wide)} {}

Connection::Connection(Environment& environment, const OpenEvent& open)
    : environment_(environment) {
  SetEnds(open);
  last_ns_ = open.mono_ns;
  last_tgid_ = open.who.tgid;
  StateGauge().Add(1);
}

Connection::~Connection() { StateGauge().Add(-1); }

void Connection::SetEnds(const OpenEvent& open) {
  info_ = {.id = open.connection,
           .peer = open.peer,
           .netns = open.netns,
           .transport = open.transport,
           .plain_text = open.plain_text,
           .wire = open.wire,
           .local = open.local,
           .remote = open.remote};
  swapped_ = false;
  for (size_t i = 0; i < next_.size() && !active_; ++i) {
    if (next_[i] != 0) continue;  // in the midst of it, only the ends were not known
    if (open.plain_text) {
      if (open.has_begin) next_[i] = Stream::kBias;
    } else if (open.transport == Transport::kUnix) {
      next_[i] = Stream::kBias;
    } else if (open.has_begin) {
      next_[i] = Stream::kBias + (open.begin[i] & UINT32_MAX);
    }
  }
}

bool Connection::SameEnds(const OpenEvent& open) const {
  const bool same = info_.local == open.local && info_.remote == open.remote;
  const bool crossed = swapped_ && info_.local == open.remote && info_.remote == open.local;
  return info_.transport == open.transport && (same || crossed);
}

Gauge& Connection::StateGauge() const {
  if (state_ == State::kUnknown) return environment_.open;
  if (state_ == State::kIgnored) return environment_.ignored;
  return *environment_.protocol_metrics[protocol_].connections;
}

void Connection::SetState(State state, uint8_t protocol) {
  StateGauge().Add(-1);
  state_ = state;
  protocol_ = protocol;
  StateGauge().Add(1);
}

StreamView& Connection::stream(Direction direction) { return lane(direction).stream(); }

Role Connection::ClaimRequestDirection(Direction direction) {
  if (!info_.wire) return direction == Direction::kReceive ? Role::kServer : Role::kClient;
  // A packet has no side of its own; the exchange is told as the server's, so `local` must be the
  // server.
  if (direction == Direction::kSend && !swapped_) {
    std::swap(info_.local, info_.remote);
    swapped_ = true;
  }
  return Role::kServer;
}

Connection::Active& Connection::Activate() {
  if (active_) return *active_;
  active_ = std::make_unique<Active>(environment_,
                                     info_.plain_text || info_.transport == Transport::kUnix);
  for (const Direction direction : kBoth) {
    const auto i = static_cast<size_t>(direction);
    if (next_[i] != 0) lane(direction).stream().Begin(next_[i], true);
    if (ended_[i]) lane(direction).stream().SetEnded();
  }
  if (state_ == State::kParsing) {
    active_->parser = environment_.protocols[protocol_].create(*this, rest_);
  }
  return *active_;
}

void Connection::OnData(const DataEvent& event) {
  last_ns_ = event.mono_ns;
  last_tgid_ = event.who.tgid;
  if (state_ == State::kIgnored) return;
  Activate();
  Segment segment{.offset = lane(event.direction).stream().Unwrap(event.position),
                  .length = event.length,
                  .prefix = event.unseen ? std::string_view() : event.prefix,
                  .tail = event.unseen ? std::string_view() : event.tail,
                  .mark = {.mono_ns = event.mono_ns, .who = event.who, .source = event.source}};
  if (segment.prefix.size() + segment.tail.size() > segment.length) {  // hostile recording
    segment.prefix = segment.prefix.substr(0, segment.length);
    segment.tail = {};
  }
  Insert(event.direction, segment);
  if (state_ == State::kIgnored) active_.reset();
}

void Connection::Insert(Direction direction, Segment& segment) {
  Lane& lane = this->lane(direction);
  Stream& stream = lane.stream();
  if (stream.ended()) {
    environment_.duplicates.Add();
    return;
  }
  if (!stream.begun()) {
    stream.Begin(segment.offset, segment.length == 0);
  } else if (lane.Restarted(segment.offset, segment.length)) {
    segment.offset = stream.Rebased(segment.offset);
    Restart(direction, segment.offset);
    return Insert(direction, segment);
  }
  if (segment.length == 0) return;  // only says where the stream begins
  if (!lane.Admit(segment, segment.mark.mono_ns, !info_.wire)) {
    // Before a protocol is known the kernel leaves out most bytes on purpose: nothing will fill
    // those holes.
    const bool no_wait = state_ == State::kUnknown && !info_.wire;
    if (no_wait || lane.GapIsDue(segment.mark.mono_ns, patience())) {
      Drain(direction, segment.mark.mono_ns, no_wait);
    }
    return;
  }
  Deliver(direction, segment);
  if (lane.holding()) Drain(direction, segment.mark.mono_ns, false);
  if (lane.has_end()) End(direction, segment.mark.mono_ns, false);
}

void Connection::Restart(Direction direction, uint64_t offset) {
  // Both directions start over: what is known of the messages of one says nothing about the other
  // any more.
  environment_.restarts.Add();
  if (active_ != nullptr && active_->parser) active_->parser->Close(Unfinished::kConnectionClosed);
  const uint64_t rest =
      active_->parser && active_->parser->idle() ? active_->parser->rest() : rest_;
  const auto other = static_cast<size_t>(Opposite(direction));
  next_[other] = lane(Opposite(direction)).stream().end();
  next_[static_cast<size_t>(direction)] = offset;
  rest_ = rest;
  active_.reset();
  Activate();
}

void Connection::Deliver(Direction direction, const Segment& segment) {
  if (state_ == State::kIgnored) return;
  Stream& stream = lane(direction).stream();
  const bool skipping = stream.skipping() > 0;
  stream.Offer(segment);
  // A body that goes on: the parser need not hear of each piece.
  if (skipping && stream.skipping() > 0) return;
  Run(direction);
  stream.Keep();
}

void Connection::Drain(Direction direction, uint64_t now_ns, bool force) {
  Lane& lane = this->lane(direction);
  Lane::Held held;
  while (state_ != State::kIgnored && lane.holding()) {
    if (lane.TakeReady(held)) {
      Segment segment = held.View();
      if (lane.Admit(segment, now_ns, false)) Deliver(direction, segment);
    } else if (force || lane.GapIsDue(now_ns, patience())) {
      environment_.gaps.Add();
      Deliver(direction, lane.Gap());
    } else {
      return;
    }
  }
}

void Connection::End(Direction direction, uint64_t now_ns, bool force) {
  Lane& lane = this->lane(direction);
  Stream& stream = lane.stream();
  if (stream.ended() || state_ == State::kIgnored) return;
  if (lane.holding()) {
    if (!force) return;
    Drain(direction, now_ns, true);
  }
  if (stream.begun() && lane.has_end() && stream.end() < lane.end_offset() && !force) {
    if (now_ns < lane.end_since_ns() + patience().wait_ns) return;
    environment_.gaps.Add();
    Deliver(direction, {.offset = stream.end(),
                        .length = lane.end_offset() - stream.end(),
                        .prefix = {},
                        .tail = {},
                        .mark = {},
                        .lost = true});
  }
  stream.SetEnded();
  ended_[static_cast<size_t>(direction)] = true;
  Run(direction);
}

bool Connection::OnShutdown(const ShutdownEvent& event) {
  last_ns_ = event.mono_ns;
  const bool shut[] = {event.receive, event.send};
  // The socket is gone: what has not come by now was lost. Packets may still be behind.
  const bool force = !event.has_position || (!info_.wire && event.receive && event.send);
  for (const Direction direction : kBoth) {
    const auto i = static_cast<size_t>(direction);
    if (!shut[i] || ended_[i]) continue;
    if (info_.wire && event.has_position && state_ == State::kParsing) Activate();
    if (!active_ || state_ == State::kIgnored) {
      // Nothing is kept: the end can only be the end.
      ended_[i] = true;
      if (active_) lane(direction).stream().SetEnded();
      continue;
    }
    if (event.has_position) {
      lane(direction).SetEnd(lane(direction).stream().Unwrap(event.position), event.mono_ns);
    }
    End(direction, event.mono_ns, force);
  }
  if (state_ == State::kIgnored) active_.reset();
  return Over();
}

bool Connection::OnTick(uint64_t mono_ns) {
  if (!active_) return Over();
  for (const Direction direction : kBoth) {
    if (lane(direction).GapIsDue(mono_ns, patience())) Drain(direction, mono_ns, false);
    if (lane(direction).has_end()) End(direction, mono_ns, false);
  }
  if (active_->parser && state_ == State::kParsing && active_->parser->OnTick(mono_ns)) {
    for (const Direction direction : kBoth) Run(direction);
  }
  if (state_ == State::kIgnored) active_.reset();
  return Over();
}

void Connection::Close(Unfinished why, bool at_end) {
  if (!active_) return;
  for (const Direction direction : kBoth) {
    Drain(direction, last_ns_, true);
    if (at_end) End(direction, last_ns_, true);
  }
  if (active_->parser && state_ == State::kParsing) {
    active_->parser->Close(why);
    if (active_->parser->idle()) rest_ = active_->parser->rest();
  }
  for (const Direction direction : kBoth) {
    next_[static_cast<size_t>(direction)] = lane(direction).stream().end();
  }
  active_.reset();
}

bool Connection::waiting() const {
  if (!active_) return false;
  return std::any_of(active_->lanes.begin(), active_->lanes.end(), [](const Lane& lane) {
    return lane.holding() || lane.stream().stored() || (lane.has_end() && !lane.stream().ended());
  });
}

bool Connection::Cool() {
  if (!active_) return true;
  if (waiting() || (active_->parser && !active_->parser->idle())) return false;
  for (const Direction direction : kBoth) {
    // A skip may be pending when nothing hangs on it; then the stream goes on behind it.
    const Stream& stream = lane(direction).stream();
    if (stream.begun()) next_[static_cast<size_t>(direction)] = stream.end() + stream.skipping();
  }
  if (active_->parser) rest_ = active_->parser->rest();
  active_.reset();
  return true;
}

void Connection::Run(Direction direction) {
  if (state_ == State::kUnknown && !Recognise(direction)) return;
  // What one direction brings may free what the other one kept; each round consumes something.
  while (Parse(direction) && OtherIsDue(direction) && Parse(Opposite(direction))) {
  }
}

bool Connection::OtherIsDue(Direction direction) {
  if (state_ != State::kParsing) return false;
  const Stream& other = lane(Opposite(direction)).stream();
  if (!other.stored()) return false;
  // Records that were held and follow at once are older: in their time they would have been first.
  const uint64_t* next_ns = lane(direction).NextReadyNs();
  return next_ns == nullptr || *next_ns >= other.MarkAt(0).mono_ns;
}

bool Connection::Parse(Direction direction) {
  Stream& stream = lane(direction).stream();
  if (state_ != State::kParsing) return false;
  bool progress = false;
  bool stuck = false;
  while (true) {
    const uint64_t before = stream.offset();
    const Outcome outcome = active_->parser->Advance(direction);
    environment_.protocol_metrics[protocol_].outcomes[static_cast<size_t>(outcome)]->Add();
    if (outcome == Outcome::kUpgrade && !HandOver()) {
      Ignore();
      return false;
    }
    if (outcome == Outcome::kNeedMore) return progress || stream.offset() != before;
    // A completed skip ends a message without a step of its own; two steps in a row without one are
    // a parser's fault.
    const bool still = stream.offset() == before;
    if (still && stuck) return progress;
    stuck = still;
    progress = true;
    if (stream.empty() && !stream.ended()) return true;
  }
}

// The next protocol's parser takes the place of the one that said kUpgrade.
bool Connection::HandOver() {
  auto upgrade = active_->parser->TakeUpgrade();
  if (!upgrade) return false;
  const auto next = std::ranges::find_if(environment_.protocols, [&](const Protocol& protocol) {
    return upgrade->protocol == protocol.name;
  });
  if (next == environment_.protocols.end()) {
    environment_.sink.OnExchange(upgrade->open);
    return false;
  }
  active_->parser->Close(Unfinished::kConnectionClosed);
  SetState(State::kParsing, static_cast<uint8_t>(next - environment_.protocols.begin()));
  rest_ = 0;
  active_->parser = next->create(*this, rest_);
  active_->parser->Adopt(*std::move(upgrade));
  environment_.verdicts.OnVerdict(info_.id, next->verdict);
  return true;
}

bool Connection::Recognise(Direction direction) {
  Stream& stream = lane(direction).stream();
  while (!stream.empty()) {
    Detection best = Detection::kNo;
    const bool could_start = stream.at_record_start() && !stream.bytes().empty();
    for (size_t i = 0; could_start && i < environment_.protocols.size(); ++i) {
      const Detection detection = environment_.protocols[i].detect(stream.bytes());
      if (detection == Detection::kYes) {
        SetState(State::kParsing, static_cast<uint8_t>(i));
        active_->parser = environment_.protocols[i].create(*this, 0);
        environment_.verdicts.OnVerdict(info_.id, environment_.protocols[i].verdict);
        return true;
      }
      if (detection == Detection::kNeedMore) best = detection;
    }
    const bool may_grow =
        stream.hole() == 0 && !stream.ended() && stream.bytes().size() < kDetectBytes;
    if (best == Detection::kNeedMore && may_grow) return false;
    if (could_start) NotRecognised(direction);
    if (state_ == State::kIgnored) return false;
    stream.Skip(stream.record_left());
    stream.ForgetBegin();
  }
  return false;
}

void Connection::NotRecognised(Direction direction) {
  if (strange_records_ == 0 || direction != last_strange_) ++strange_turns_;
  last_strange_ = direction;
  ++strange_records_;
  if (strange_turns_ >= kStrangeTurns || strange_records_ >= kStrangeRecords) Ignore();
}

void Connection::Ignore() {
  if (active_ != nullptr && active_->parser) active_->parser->Close(Unfinished::kConnectionClosed);
  SetState(State::kIgnored, protocol_);
  environment_.verdicts.OnVerdict(info_.id, Verdict::kRefused);
}

}  // namespace sonde::connection
