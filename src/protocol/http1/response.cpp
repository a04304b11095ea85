// SPDX-License-Identifier: Apache-2.0
// The response direction: each final response ends the exchange of its request.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/http1/match.h"
#include "protocol/http1/parse.h"
#include "protocol/http1/parser.h"
#include "protocol/http1/reader.h"
#include "protocol/http1/types.h"
#include "protocol/http1/upgrade.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {

Outcome Http1Parser::AdvanceResponse(StreamView& stream) {
  switch (response_reader_.phase()) {
    case Phase::kSearch:
    case Phase::kHead:
      return BeginResponse(stream);
    case Phase::kLongHead:
      if (stream.bytes().empty() && stream.hole() > 0) {
        response_reader_.Lose(false);
        return Outcome::kSkip;
      }
      if (!response_reader_.PassLongHead(stream)) return Outcome::kNeedMore;
      BeginResponseBody(stream, response_status_);
      return ReadResponseBody(stream);
    case Phase::kLost:
      return PassLostResponse(stream);
    default:
      return ReadResponseBody(stream);
  }
}

Outcome Http1Parser::BeginResponse(StreamView& stream) {
  if (stream.empty()) return Outcome::kNeedMore;
  const bool searching = response_reader_.phase() == Phase::kSearch;
  if (stream.bytes().empty() || (searching && !stream.at_record_start())) {
    response_reader_.GiveUp(stream);
    return Outcome::kSkip;
  }
  const Detection looks = LooksLikeResponse(stream.bytes());
  const bool cut = stream.hole() > 0 || stream.ended();
  if (looks == Detection::kNeedMore && !cut) return Outcome::kNeedMore;
  if (looks != Detection::kYes) {
    response_reader_.GiveUp(stream);
    return searching || looks == Detection::kNeedMore ? Outcome::kSkip : Outcome::kInvalid;
  }
  size_t head_size = 0;
  const MessageReader::Head found =
      response_reader_.FindHead(stream, host_.limits().max_head_bytes, head_size);
  const uint32_t status = PeekStatus(stream.bytes());
  if (status < 200 && status != 101) {
    // Interim: not the answer (RFC 9110 15.2).
    if (found == MessageReader::Head::kNeedMore) return Outcome::kNeedMore;
    if (found != MessageReader::Head::kComplete) {
      response_reader_.GiveUp(stream);
      return Outcome::kSkip;
    }
    const bool after_hole = response_reader_.after_hole();
    response_reader_.TakeHead(stream, head_size);
    response_reader_.Rest(Phase::kHead);
    response_reader_.set_after_hole(after_hole);
    return Outcome::kDone;
  }
  if (found == MessageReader::Head::kNeedMore) return Outcome::kNeedMore;
  Matcher::Before before = Matcher::Before::kContiguous;
  if (response_reader_.after_hole()) {
    before = Matcher::Before::kHole;
  } else if (!response_seen_) {
    // Packets need not come in the order in which they were sent.
    const auto first = host_.info().wire ? Matcher::Before::kContiguous : Matcher::Before::kFirst;
    before = stream.begin_known() ? first : Matcher::Before::kUnknown;
  }
  const Matcher::Answer answer =
      matcher_.ForResponse(stream.MarkAt(0), before, response_reader_.missed_until_ns(),
                           request_reader_.phase() == Phase::kLost || request_reader_.after_hole());
  for (size_t i = 0; i < answer.unanswered; ++i) Emit(0, Unfinished::kNo, kTruncatedResponseUnseen);
  if (answer.verdict != Matcher::Verdict::kPair) return WithoutRequest(stream, answer.verdict);
  return TakeResponse(stream, *answer.exchange, found, head_size);
}

Outcome Http1Parser::WithoutRequest(StreamView& stream, Matcher::Verdict verdict) {
  if (verdict == Matcher::Verdict::kGiveUp) {
    GiveUpPairing();
    return Outcome::kSkip;
  }
  // Its request may stand behind a hole that is still open, or come from another processor in a
  // moment.
  if (verdict == Matcher::Verdict::kWait && !drop_held_ && !stream.ended()) {
    if (held_since_ns_ == 0) held_since_ns_ = stream.MarkAt(0).mono_ns;
    return Outcome::kNeedMore;
  }
  held_since_ns_ = 0;
  drop_held_ = false;
  last_unpaired_ns_ = stream.MarkAt(0).mono_ns;
  response_reader_.GiveUp(stream);
  return Outcome::kSkip;
}

Outcome Http1Parser::TakeResponse(StreamView& stream, OpenExchange& open, MessageReader::Head found,
                                  size_t head_size) {
  held_since_ns_ = 0;
  drop_held_ = false;
  HttpResponse& response = open.http().response;
  const bool complete = found == MessageReader::Head::kComplete;
  const HeadResult head =
      ParseResponseHead(stream.bytes().substr(0, head_size), complete, response);
  if (!head.valid) {
    response_reader_.GiveUp(stream);
    return Outcome::kSkip;
  }
  if (response.status == 101 && complete && &open != request_ && NamesHttp2(response.headers) &&
      NamesHttp2(open.http().request.headers)) {
    return UpgradeToHttp2(stream, open, head_size);
  }
  if (head.truncated) open.exchange.truncated |= kTruncatedResponseHead;
  response_facts_ = head.body;
  response_status_ = response.status;
  response_to_head_ = open.head_method;
  StartResponse(stream, open, head_size);
  if (response.status == 101 || (open.connect_method && response.status < 300)) {
    response_reader_.BeginBody(stream, Framing::kNone, 0);
    FinishResponse(stream);
    return Outcome::kUpgrade;
  }
  if (found == MessageReader::Head::kTooLong) return Outcome::kSkip;  // kLongHead
  if (!complete) {
    open.exchange.truncated |= kTruncatedResponseBody;
    response_reader_.Lose(response_facts_.chunked);
    return Outcome::kSkip;
  }
  BeginResponseBody(stream, response.status);
  return ReadResponseBody(stream);
}

// RFC 7540 3.2: the response to this request comes as stream 1 of HTTP/2. `&open != request_`: its
// body was read, so that the request stream stands before the preface, too.
Outcome Http1Parser::UpgradeToHttp2(StreamView& stream, OpenExchange& open, size_t head_size) {
  open.http().response = HttpResponse();
  response_reader_.TakeHead(stream, head_size);
  response_reader_.Rest(Phase::kHead);
  upgrade_ = Upgrade{.protocol = "http2",
                     .requests = request_direction_,
                     .open = matcher_.Remove(matcher_.IndexOf(&open))};
  return Outcome::kUpgrade;
}

void Http1Parser::StartResponse(StreamView& stream, OpenExchange& open, size_t head_size) {
  const Mark& first = stream.MarkAt(0);
  const Mark& last = stream.MarkAt(head_size - 1);
  open.exchange.response = {.seen = true,
                            .first_mono_ns = first.mono_ns,
                            .last_mono_ns = last.mono_ns,
                            .first_position = stream.RawPosition(stream.offset()),
                            .first_by = first.who,
                            .last_by = last.who,
                            .wire_bytes = head_size};
  open.response_started = true;
  response_seen_ = true;
  response_ = &open;
  response_reader_.TakeHead(stream, head_size);
  host_.sink().OnResponseStart(open.exchange.id, open.exchange.response);
}

void Http1Parser::BeginResponseBody(StreamView& stream, uint32_t status) {
  Framing framing = ResponseFraming(response_facts_, status, response_to_head_);
  // A cut head may have had its length in the part that is missing.
  const bool cut =
      response_ != nullptr && (response_->exchange.truncated & kTruncatedResponseHead) != 0;
  if (framing == Framing::kUntilClose && cut && !response_facts_.has_coding)
    framing = Framing::kUnknown;
  response_reader_.BeginBody(stream, framing, response_facts_.length);
}

Outcome Http1Parser::ReadResponseBody(StreamView& stream) {
  if (response_reader_.phase() != Phase::kLost) {
    switch (response_reader_.ReadBody(stream)) {
      case MessageReader::Body::kNeedMore:
        return Outcome::kNeedMore;
      case MessageReader::Body::kDone:
        return FinishResponse(stream);
      case MessageReader::Body::kLost:
        break;
    }
  }
  if (response_ != nullptr) response_->exchange.truncated |= kTruncatedResponseBody;
  return Outcome::kSkip;
}

Outcome Http1Parser::PassLostResponse(StreamView& stream) {
  // Only a further open request can make bytes that look like a response one.
  const bool may_begin = response_ == nullptr || matcher_.size() > 1;
  const Detection looks = may_begin && stream.at_record_start() && !stream.bytes().empty()
                              ? LooksLikeResponse(stream.bytes())
                              : Detection::kNo;
  if (looks == Detection::kNeedMore && stream.hole() == 0 && !stream.ended()) {
    return Outcome::kNeedMore;
  }
  if (looks == Detection::kYes) {
    if (response_ != nullptr) Emit(matcher_.IndexOf(response_), Unfinished::kNo, kTruncatedNothing);
    response_reader_.RestAfterHole();
    return Outcome::kSkip;
  }
  if (response_reader_.PassLost(stream)) return FinishResponse(stream);
  if (stream.ended() && stream.empty()) return FinishResponse(stream);
  return stream.empty() ? Outcome::kNeedMore : Outcome::kSkip;
}

Outcome Http1Parser::FinishResponse(StreamView& stream) {
  const bool lost = response_reader_.phase() == Phase::kLost;
  if (response_ != nullptr) {
    HttpResponse& response = response_->http().response;
    response.has_body_bytes = response_reader_.size_known();
    if (response.has_body_bytes) response.body_bytes = response_reader_.body_bytes(stream);
    Emit(matcher_.IndexOf(response_), Unfinished::kNo, kTruncatedNothing);
  }
  response_reader_.Rest(Phase::kHead);
  response_reader_.set_after_hole(lost);
  return Outcome::kDone;
}

}  // namespace sonde::protocol::http1
