// SPDX-License-Identifier: Apache-2.0
#include "protocol/http1/parser.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "protocol/http1/match.h"
#include "protocol/http1/parse.h"
#include "protocol/http1/types.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {
namespace {

// A response whose request was not seen (yet) is held for this long: longer than a hole in the
// requests may stand open.
constexpr uint64_t kHoldNs = 100'000'000;
constexpr uint64_t kWireHoldNs = 3'000'000'000;

// Layout of rest().
constexpr uint64_t kRestKnown = 1;
constexpr uint64_t kRestSend = 2;
constexpr uint64_t kRestPipelined = 4;
constexpr uint64_t kRestPairingLost = 8;
constexpr uint64_t kRestRequestSearch = 32;
constexpr uint64_t kRestResponseSearch = 64;
constexpr uint64_t kRestRequestHole = 128;
constexpr uint64_t kRestResponseHole = 256;
constexpr uint64_t kRestResponseSeen = 16;
constexpr uint64_t kRestDoubt = 512;
constexpr int kRestOrphansShift = 16;

}  // namespace

Http1Parser::Http1Parser(ParserHost& host, uint64_t rest) : host_(host) {
  if ((rest & kRestKnown) == 0) return;
  direction_known_ = true;
  request_direction_ = (rest & kRestSend) != 0 ? Direction::kSend : Direction::kReceive;
  role_ = host_.ClaimRequestDirection(request_direction_);
  matcher_.set_pipelined((rest & kRestPipelined) != 0);
  matcher_.set_orphans(static_cast<uint16_t>(rest >> kRestOrphansShift));
  pairing_lost_ = (rest & kRestPairingLost) != 0;
  response_seen_ = (rest & kRestResponseSeen) != 0;
  doubt_since_ns_ = (rest & kRestDoubt) != 0 ? 1 : 0;
  request_reader_.Rest((rest & kRestRequestSearch) != 0 ? Phase::kSearch : Phase::kHead);
  response_reader_.Rest((rest & kRestResponseSearch) != 0 ? Phase::kSearch : Phase::kHead);
  request_reader_.set_after_hole((rest & kRestRequestHole) != 0);
  response_reader_.set_after_hole((rest & kRestResponseHole) != 0);
}

uint64_t Http1Parser::rest() const {
  if (!direction_known_) return 0;
  uint64_t rest = kRestKnown | uint64_t{matcher_.orphans()} << kRestOrphansShift;
  if (request_direction_ == Direction::kSend) rest |= kRestSend;
  if (matcher_.pipelined()) rest |= kRestPipelined;
  if (pairing_lost_) rest |= kRestPairingLost;
  if (response_seen_) rest |= kRestResponseSeen;
  if (doubt_since_ns_ != 0) rest |= kRestDoubt;
  if (request_reader_.phase() == Phase::kSearch) rest |= kRestRequestSearch;
  if (response_reader_.phase() == Phase::kSearch) rest |= kRestResponseSearch;
  if (request_reader_.after_hole()) rest |= kRestRequestHole;
  if (response_reader_.after_hole()) rest |= kRestResponseHole;
  return rest;
}

bool Http1Parser::idle() const {
  return matcher_.empty() && held_since_ns_ == 0 && request_reader_.resting() &&
         response_reader_.resting();
}

bool Http1Parser::LearnDirection(Direction direction, const StreamView& stream) {
  const std::string_view bytes = stream.bytes();
  if (LooksLikeRequest(bytes.substr(EmptyLines(bytes))) == Detection::kYes) {
    request_direction_ = direction;
  } else if (LooksLikeResponse(bytes) == Detection::kYes) {
    request_direction_ = Opposite(direction);
  } else {
    return false;
  }
  direction_known_ = true;
  role_ = host_.ClaimRequestDirection(request_direction_);
  request_reader_.set_after_hole(!requests().begin_known());
  return true;
}

Outcome Http1Parser::Advance(Direction direction) {
  StreamView& stream = host_.stream(direction);
  if (!direction_known_ && !LearnDirection(direction, stream)) {
    // Cannot happen while detection and LearnDirection agree; if they do not, nothing may be kept.
    if (stream.empty()) return Outcome::kNeedMore;
    stream.Skip(stream.bytes().size() + stream.hole());
    return Outcome::kInvalid;
  }
  if (pairing_lost_) {
    if (stream.empty()) return Outcome::kNeedMore;
    stream.Skip(stream.bytes().size() + stream.hole());
    return Outcome::kSkip;
  }
  return direction == request_direction_ ? AdvanceRequest(stream) : AdvanceResponse(stream);
}

bool Http1Parser::OnTick(uint64_t mono_ns) {
  const auto timeout_ns =
      static_cast<uint64_t>(std::chrono::nanoseconds(host_.limits().exchange_timeout).count());
  while (!matcher_.empty() &&
         matcher_.at(0).exchange.request.first_mono_ns + timeout_ns < mono_ns) {
    if (!matcher_.at(0).response_started) matcher_.ExpectOrphan();
    Emit(0, Unfinished::kTimeout, kTruncatedNothing);
  }
  const uint64_t hold_ns = host_.info().wire ? kWireHoldNs : kHoldNs;
  drop_held_ = held_since_ns_ != 0 && held_since_ns_ + hold_ns <= mono_ns;
  return drop_held_;
}

void Http1Parser::Close(Unfinished why) {
  while (!matcher_.empty()) Emit(0, why, kTruncatedNothing);
  held_since_ns_ = 0;
  if (!request_reader_.resting()) request_reader_.Rest(Phase::kSearch);
  if (!response_reader_.resting()) response_reader_.Rest(Phase::kSearch);
}

std::optional<Upgrade> Http1Parser::TakeUpgrade() { return std::exchange(upgrade_, std::nullopt); }

void Http1Parser::NoteProgress() {
  if (request_ != nullptr && !request_->request_done) {
    MessageSpan& span = request_->exchange.request;
    span.last_mono_ns = requests().last_mark().mono_ns;
    span.wire_bytes = requests().offset() - request_reader_.message_offset();
  }
  if (response_ != nullptr) {
    MessageSpan& span = response_->exchange.response;
    span.last_mono_ns = responses().last_mark().mono_ns;
    span.wire_bytes = responses().offset() - response_reader_.message_offset();
  }
}

void Http1Parser::Emit(size_t index, Unfinished why, uint32_t truncated) {
  OpenExchange* open = &matcher_.at(index);
  if (open == request_ || open == response_) NoteProgress();
  if (open == request_) {
    // Answered before its body was read, which may never happen: the size it was announced with.
    if (why == Unfinished::kNo && request_reader_.phase() == Phase::kLength) {
      open->http().request.has_body_bytes = true;
      open->http().request.body_bytes = request_reader_.body_bytes(requests());
    }
    request_ = nullptr;
    // Whose end was waited for is gone: the next record that begins like a request is one.
    if (request_reader_.phase() == Phase::kLost) request_reader_.RestAfterHole();
  }
  if (open == response_) {
    response_ = nullptr;
    if (response_reader_.phase() == Phase::kLost) response_reader_.RestAfterHole();
  }
  Exchange exchange = matcher_.Remove(index);
  exchange.unfinished = why;
  exchange.truncated |= truncated;
  host_.sink().OnExchange(exchange);
}

void Http1Parser::GiveUpPairing() {
  while (!matcher_.empty()) Emit(0, Unfinished::kNo, kTruncatedResponseUnseen);
  pairing_lost_ = true;
  held_since_ns_ = 0;
  request_reader_.Rest(Phase::kSearch);
  response_reader_.Rest(Phase::kSearch);
}

}  // namespace sonde::protocol::http1
