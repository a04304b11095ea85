// SPDX-License-Identifier: Apache-2.0
#include "protocol/http2/parser.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/common/length_prefixed.h"
#include "protocol/common/text.h"
#include "protocol/http2/frame.h"
#include "protocol/http2/reader.h"
#include "protocol/http2/streams.h"
#include "protocol/http2/types.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http2 {
namespace {

// A response whose request was not seen (yet) is held for this long, as in HTTP/1: longer than a
// hole in the requests may stand open.
constexpr uint64_t kHoldNs = 100'000'000;
constexpr uint64_t kWireHoldNs = 3'000'000'000;
// Between two looks at how long streams have been open.
constexpr uint64_t kTimeoutStepNs = 1'000'000'000;

// A stream of which bytes may have been lost, and that is silent for so long, is over.
constexpr uint64_t kLostNs = 60'000'000'000;
constexpr uint32_t kBodyLost = kTruncatedRequestBody | kTruncatedResponseBody;

constexpr uint32_t kRefusedStream = 7;  // RFC 9113 7

}  // namespace

Http2Parser::Http2Parser(ParserHost& host, Refine refine)
    : host_(host),
      refine_(refine),
      sides_{Side(host.memory()), Side(host.memory())},
      streams_(host.memory()) {}

Http2Parser::~Http2Parser() {
  DropBlock(Direction::kReceive);
  DropBlock(Direction::kSend);
}

bool Http2Parser::idle() const {
  return streams_.empty() && held_since_ns_ == 0 &&
         std::ranges::all_of(sides_, [](const Side& side) {
           return side.hpack.pristine() && side.block.stream == 0 && side.reader.between_frames();
         });
}

void Http2Parser::Adopt(Upgrade&& upgrade) {
  LearnDirection(upgrade.requests);
  // Clients begin with the preface, servers with a frame.
  side(Opposite(upgrade.requests)).reader.ExpectFrame();
  last_request_ = 1;
  OpenStream* added = streams_.Add(last_request_);
  if (added == nullptr) return host_.sink().OnExchange(upgrade.open);
  OpenStream& open = *added;
  open.exchange = std::move(upgrade.open);
  open.exchange.protocol = "http2";
  open.request_done = true;
  open.last_ns = open.exchange.request.last_mono_ns;
}

Outcome Http2Parser::Advance(Direction direction) {
  StreamView& stream = host_.stream(direction);
  Side& side = this->side(direction);
  Frame frame;
  switch (side.reader.Next(stream, host_.limits().max_head_bytes, frame)) {
    case FrameReader::Step::kNeedMore:
      return Outcome::kNeedMore;
    case FrameReader::Step::kOpening:
      LearnDirection(direction);
      return Outcome::kDone;
    case FrameReader::Step::kFrame:
      return OnFrame(direction, frame);
    case FrameReader::Step::kEnd:
      return OnEnd(direction);
    case FrameReader::Step::kInvalid:
      OnLost(direction);
      return Outcome::kInvalid;
    case FrameReader::Step::kPassed:
    case FrameReader::Step::kLost:
      break;
  }
  OnLost(direction);
  return Outcome::kSkip;
}

void Http2Parser::LearnDirection(Direction requests) {
  if (direction_known_) return;
  direction_known_ = true;
  request_direction_ = requests;
  role_ = host_.ClaimRequestDirection(requests);
}

void Http2Parser::OnLost(Direction direction) {
  Side& side = this->side(direction);
  side.lossy = true;
  side.hpack.Forget();
  DropBlock(direction);
  if (!direction_known_) return;
  const uint32_t bit = is_request(direction) ? kTruncatedRequestBody : kTruncatedResponseBody;
  streams_.ForEach([&](uint32_t /*id*/, OpenStream& open) {
    const bool done = is_request(direction) ? open.request_done : open.response_done;
    if (!done) open.exchange.truncated |= bit;
  });
}

// Its request may stand behind a hole that is still open, or come from another processor in a
// moment. Before the block is decoded: blocks must be decoded in order.
bool Http2Parser::MustHold(Direction direction, const Frame& frame) {
  if (frame.header.type != FrameType::kHeaders || !direction_known_ || is_request(direction)) {
    return false;
  }
  const bool coming = frame.header.stream % 2 == 1 && frame.header.stream > last_request_ &&
                      side(request_direction_).reader.in_step() &&
                      !host_.stream(request_direction_).ended();
  const StreamView& stream = host_.stream(direction);
  if (!coming || drop_held_ || stream.ended()) {
    held_since_ns_ = 0;
    drop_held_ = false;
    return false;
  }
  if (held_since_ns_ == 0) held_since_ns_ = stream.MarkAt(0).mono_ns;
  return true;
}

Outcome Http2Parser::OnFrame(Direction direction, const Frame& frame) {
  StreamView& stream = host_.stream(direction);
  Side& side = this->side(direction);
  if (MustHold(direction, frame)) return Outcome::kNeedMore;
  const bool continues =
      frame.header.type == FrameType::kContinuation && frame.header.stream == side.block.stream;
  const bool foreign =
      side.block.stream != 0 ? !continues : frame.header.type == FrameType::kContinuation;
  // RFC 9113 6.10: nothing may come between the frames of a block.
  if (foreign) {
    DropBlock(direction);
    side.hpack.Forget();
  }
  const uint64_t mono_ns = stream.MarkAt(0).mono_ns;
  switch (frame.header.type) {
    case FrameType::kHeaders:
    case FrameType::kPushPromise:
      BeginBlock(direction, frame);
      break;
    case FrameType::kContinuation:
      if (continues) AddToBlock(direction, frame);
      break;
    case FrameType::kRstStream:
      OnReset(direction, frame, mono_ns);
      break;
    case FrameType::kGoaway:
      OnGoaway(direction, frame);
      break;
    case FrameType::kData:
      OnBody(direction, frame);
      break;
    default:
      break;
  }
  side.taken = frame.header;
  side.reader.Take(stream, frame);
  if (side.reader.Ended(stream)) return OnEnd(direction);
  return foreign ? Outcome::kInvalid : Outcome::kSkip;
}

void Http2Parser::OnBody(Direction direction, const Frame& frame) {
  OpenStream* open = streams_.Find(frame.header.stream);
  if (open == nullptr || !direction_known_) return;
  const bool request = is_request(direction);
  LengthPrefixedWalk& messages = request ? open->request_messages : open->response_messages;
  uint64_t length = frame.header.length;
  std::string_view bytes = frame.payload;
  if (frame.header.has(kFlagPadded)) {
    if (bytes.empty()) {
      messages.Lose();
    } else {
      length -= std::min<uint64_t>(length, 1U + static_cast<uint8_t>(bytes.front()));
      bytes = bytes.substr(1, length);
    }
  }
  (request ? open->http().request.body_bytes : open->http().response.body_bytes) += length;
  messages.Pass(bytes, length);
}

// The last byte of a frame has passed.
Outcome Http2Parser::OnEnd(Direction direction) {
  Side& side = this->side(direction);
  const FrameHeader header = side.taken;
  if (header.carries_fields() && side.block.stream != 0) {
    if (!header.has(kFlagEndHeaders)) return Outcome::kSkip;
    return FinishBlock(direction);
  }
  if (header.type == FrameType::kData) {
    NoteFrame(direction, header);
    if (header.has(kFlagEndStream)) EndOf(direction, header.stream);
  }
  return Outcome::kDone;
}

void Http2Parser::NoteFrame(Direction direction, const FrameHeader& header) {
  OpenStream* open = streams_.Find(header.stream);
  if (open == nullptr || !direction_known_) return;
  MessageSpan& span = is_request(direction) ? open->exchange.request : open->exchange.response;
  if (!span.seen) return;
  span.last_mono_ns = std::max(span.last_mono_ns, host_.stream(direction).last_mark().mono_ns);
  span.wire_bytes += kFrameHeaderBytes + header.length;
  open->last_ns = span.last_mono_ns;
}

// END_STREAM: an exchange is over when its response is.
void Http2Parser::EndOf(Direction direction, uint32_t id) {
  OpenStream* open = streams_.Find(id);
  if (open == nullptr || !direction_known_) return;
  if (is_request(direction)) {
    open->request_done = true;
    open->http().request.has_body_bytes = (open->exchange.truncated & kTruncatedRequestBody) == 0;
    return;
  }
  if (!open->exchange.response.seen) return;
  open->response_done = true;
  open->http().response.has_body_bytes = (open->exchange.truncated & kTruncatedResponseBody) == 0;
  Emit(id, Unfinished::kNo);
}

// All that the response announced was received: a client that resets the stream now (curl does,
// before it has read END_STREAM) has what it asked for.
bool Http2Parser::ResponseIsWhole(OpenStream& open) {
  const HttpResponse& response = open.http().response;
  if (!open.exchange.response.seen || (open.exchange.truncated & kTruncatedResponseBody) != 0) {
    return false;
  }
  const auto length = std::ranges::find(response.headers, "content-length", &HttpHeader::name);
  return length != response.headers.end() && ParseNumber(length->value) == response.body_bytes;
}

void Http2Parser::OnReset(Direction direction, const Frame& frame, uint64_t mono_ns) {
  OpenStream* open = streams_.Find(frame.header.stream);
  if (open == nullptr) return;
  if (direction_known_ && is_request(direction) && ResponseIsWhole(*open)) {
    return EndOf(Opposite(direction), frame.header.stream);
  }
  open->http().reset = true;
  open->http().reset_code = frame.cut ? kResetUnknown : ReadNumber(frame.payload, 4);
  MessageSpan& last =
      open->exchange.response.seen ? open->exchange.response : open->exchange.request;
  last.last_mono_ns = std::max(last.last_mono_ns, mono_ns);
  Emit(frame.header.stream, Unfinished::kNo);
}

// RFC 9113 6.8: the server did not and will not act on streams above the one it names.
void Http2Parser::OnGoaway(Direction direction, const Frame& frame) {
  if (!direction_known_ || is_request(direction) || frame.cut) return;
  const uint32_t last = ReadNumber(frame.payload, 4) & 0x7fffffffU;
  for (const uint32_t id : streams_.Ids()) {
    if (id <= last) continue;
    OpenStream& open = *streams_.Find(id);
    open.http().reset = true;
    open.http().reset_code = kRefusedStream;
    Emit(id, Unfinished::kNo);
  }
}

bool Http2Parser::OnTick(uint64_t mono_ns) {
  if (mono_ns >= next_timeout_ns_) {
    next_timeout_ns_ = mono_ns + kTimeoutStepNs;
    const auto timeout_ns =
        static_cast<uint64_t>(std::chrono::nanoseconds(host_.limits().exchange_timeout).count());
    std::vector<uint32_t> late;
    streams_.ForEach([&](uint32_t id, const OpenStream& open) {
      // Its end may have been in what was lost.
      const bool doubtful = (open.exchange.truncated & kBodyLost) != 0;
      const uint64_t patience_ns = doubtful ? std::min(timeout_ns, kLostNs) : timeout_ns;
      if (open.last_ns + patience_ns < mono_ns) late.push_back(id);
    });
    std::ranges::sort(late);
    for (const uint32_t id : late) Emit(id, Unfinished::kTimeout);
  }
  const uint64_t hold_ns = host_.info().wire ? kWireHoldNs : kHoldNs;
  drop_held_ = held_since_ns_ != 0 && held_since_ns_ + hold_ns <= mono_ns;
  return drop_held_;
}

void Http2Parser::Close(Unfinished why) {
  for (const uint32_t id : streams_.Ids()) Emit(id, why);
  held_since_ns_ = 0;
}

void Http2Parser::Emit(uint32_t id, Unfinished why) {
  const auto stream = streams_.Remove(id);
  stream->exchange.unfinished = why;
  if (refine_ != nullptr) refine_(*stream);
  host_.sink().OnExchange(stream->exchange);
}

}  // namespace sonde::protocol::http2
