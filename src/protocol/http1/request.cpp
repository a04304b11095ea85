// SPDX-License-Identifier: Apache-2.0
// The request direction: each request opens an exchange as soon as its head is understood.
#include <algorithm>
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
namespace {

// RFC 9110 9.3: methods whose requests have no body in practice. Only asked when a cut head said
// nothing about it.
bool HasNoBody(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "DELETE" || method == "OPTIONS" ||
         method == "TRACE" || method == "CONNECT";
}

}  // namespace

Outcome Http1Parser::AdvanceRequest(StreamView& stream) {
  switch (request_reader_.phase()) {
    case Phase::kSearch:
    case Phase::kHead:
      return BeginRequest(stream);
    case Phase::kLongHead:
      if (stream.bytes().empty() && stream.hole() > 0) {
        request_reader_.Lose(false);
        return Outcome::kSkip;
      }
      if (!request_reader_.PassLongHead(stream)) return Outcome::kNeedMore;
      BeginRequestBody(stream);
      return ReadRequestBody(stream);
    case Phase::kLost:
      return PassLostRequest(stream);
    default:
      return ReadRequestBody(stream);
  }
}

Outcome Http1Parser::BeginRequest(StreamView& stream) {
  if (request_reader_.phase() == Phase::kHead) {
    if (const size_t passed = EmptyLines(stream.bytes()); passed > 0) stream.Consume(passed);
    if (stream.bytes() == "\r" && stream.hole() == 0 && !stream.ended()) return Outcome::kNeedMore;
  }
  if (stream.empty() || MayBeUpgraded(stream)) return Outcome::kNeedMore;
  const bool searching = request_reader_.phase() == Phase::kSearch;
  if (stream.bytes().empty()) {
    if (matcher_.pipelined()) {
      GiveUpPairing();
      return Outcome::kSkip;
    }
    // A lost head may have announced a body, and that may look like a request.
    doubt_since_ns_ = std::max<uint64_t>(1, stream.last_mark().mono_ns);
  }
  if (stream.bytes().empty() || (searching && !stream.at_record_start()) || Doubtful(stream)) {
    request_reader_.GiveUp(stream);
    return Outcome::kSkip;
  }
  size_t head_size = 0;
  const MessageReader::Head found =
      request_reader_.FindHead(stream, host_.limits().max_head_bytes, head_size);
  if (found == MessageReader::Head::kNeedMore &&
      LooksLikeRequest(stream.bytes()) != Detection::kNo) {
    return Outcome::kNeedMore;
  }
  return TakeRequest(stream, found, head_size);
}

// What follows is HTTP/2 if the server agrees, which another processor may report in a moment.
bool Http1Parser::MayBeUpgraded(const StreamView& stream) {
  return !matcher_.empty() && !drop_held_ && !stream.ended() && LooksLikePreface(stream.bytes()) &&
         NamesHttp2(matcher_.at(matcher_.size() - 1).http().request.headers);
}

bool Http1Parser::Doubtful(const StreamView& stream) {
  if (doubt_since_ns_ == 0) return false;
  // A client sends its next request after the answer: an answer to the request that was lost clears
  // the doubt about what came later.
  const uint64_t now_ns = stream.MarkAt(0).mono_ns;
  const auto between = [&](uint64_t at_ns) { return at_ns > doubt_since_ns_ && at_ns <= now_ns; };
  if (!between(held_since_ns_) && !between(last_unpaired_ns_)) return true;
  doubt_since_ns_ = 0;
  return false;
}

Outcome Http1Parser::TakeRequest(StreamView& stream, MessageReader::Head found, size_t head_size) {
  const bool searching = request_reader_.phase() == Phase::kSearch;
  const bool complete = found == MessageReader::Head::kComplete;
  const bool ended = found == MessageReader::Head::kCut && stream.hole() == 0;
  OpenExchange& open = matcher_.Prepare();
  HeadResult head;
  // Also of a whole head: what is a request must not depend on how many calls brought it.
  const bool doubtful = LooksLikeRequest(stream.bytes()) == Detection::kNo;
  if (found != MessageReader::Head::kNeedMore && !ended && !doubtful) {
    head = ParseRequestHead(stream.bytes().substr(0, head_size), complete, open.http().request);
  }
  if (!head.valid) {
    request_reader_.GiveUp(stream);
    return searching || ended ? Outcome::kSkip : Outcome::kInvalid;
  }
  if (matcher_.size() >= Matcher::kMaxOpen) {
    GiveUpPairing();
    return Outcome::kSkip;
  }
  request_facts_ = head.body;
  request_may_have_body_ = !complete && !HasNoBody(open.http().request.method);
  OpenRequest(stream, head_size, head.truncated);
  // Its answer came while the rest of the head was still waited for, and was given up.
  if (last_unpaired_ns_ > request_->exchange.request.first_mono_ns) {
    Emit(matcher_.IndexOf(request_), Unfinished::kNo, kTruncatedResponseUnseen);
  }
  if (found == MessageReader::Head::kTooLong) return Outcome::kSkip;  // kLongHead
  if (!complete) {
    if (request_ != nullptr) request_->exchange.truncated |= kTruncatedRequestBody;
    request_reader_.Lose(request_facts_.chunked);
    return Outcome::kSkip;
  }
  BeginRequestBody(stream);
  return ReadRequestBody(stream);
}

OpenExchange& Http1Parser::OpenRequest(StreamView& stream, size_t head_size, bool truncated) {
  matcher_.NoteRequest(!stream.at_record_start());
  // Without pipelining, a new request shows that the answer before it has ended.
  if (response_ != nullptr && response_reader_.phase() == Phase::kLost && !matcher_.pipelined()) {
    Emit(matcher_.IndexOf(response_), Unfinished::kNo, kTruncatedNothing);
  }
  OpenExchange& open = matcher_.Push();
  Exchange& exchange = open.exchange;
  const Mark& first = stream.MarkAt(0);
  const Mark& last = stream.MarkAt(head_size - 1);
  exchange.id = host_.NextExchangeId();
  exchange.protocol = "http1";
  exchange.role = role_;
  exchange.connection = &host_.info();
  exchange.source = first.source;
  exchange.request = {.seen = true,
                      .first_mono_ns = first.mono_ns,
                      .last_mono_ns = last.mono_ns,
                      .first_position = stream.RawPosition(stream.offset()),
                      .first_by = first.who,
                      .last_by = last.who,
                      .wire_bytes = head_size};
  if (truncated) exchange.truncated |= kTruncatedRequestHead;
  const std::string_view method = open.http().request.method;
  open.head_method = method == "HEAD";
  open.connect_method = method == "CONNECT";
  open.after_hole = request_reader_.after_hole();
  request_ = &open;
  request_reader_.TakeHead(stream, head_size);
  host_.sink().OnRequestStart({.id = exchange.id,
                               .role = role_,
                               .connection = &host_.info(),
                               .request = exchange.request,
                               .http = &open.http().request});
  return open;
}

void Http1Parser::BeginRequestBody(StreamView& stream) {
  Framing framing = RequestFraming(request_facts_);
  // The missing part of the head may have said that there is a body.
  if (framing == Framing::kNone && !request_facts_.has_length && request_may_have_body_)
    framing = Framing::kUnknown;
  request_reader_.BeginBody(stream, framing, request_facts_.length);
}

Outcome Http1Parser::ReadRequestBody(StreamView& stream) {
  if (request_reader_.phase() != Phase::kLost) {
    switch (request_reader_.ReadBody(stream)) {
      case MessageReader::Body::kNeedMore:
        return Outcome::kNeedMore;
      case MessageReader::Body::kDone:
        return FinishRequest(stream);
      case MessageReader::Body::kLost:
        break;
    }
  }
  if (request_ != nullptr) request_->exchange.truncated |= kTruncatedRequestBody;
  return Outcome::kSkip;
}

Outcome Http1Parser::PassLostRequest(StreamView& stream) {
  // Before the answer has begun nothing tells a new request from a body that looks like one.
  const bool may_begin = request_ == nullptr || request_->response_started;
  if (may_begin && stream.at_record_start() && LooksLikeRequest(stream.bytes()) != Detection::kNo) {
    NoteProgress();
    request_ = nullptr;
    request_reader_.RestAfterHole();
    return Outcome::kSkip;
  }
  if (request_reader_.PassLost(stream)) return FinishRequest(stream);
  return stream.empty() ? Outcome::kNeedMore : Outcome::kSkip;
}

Outcome Http1Parser::FinishRequest(StreamView& stream) {
  NoteProgress();
  if (request_ != nullptr) {
    HttpRequest& request = request_->http().request;
    request.has_body_bytes = request_reader_.size_known();
    if (request.has_body_bytes) request.body_bytes = request_reader_.body_bytes(stream);
    request_->request_done = true;
    request_ = nullptr;
  }
  const bool lost = request_reader_.phase() == Phase::kLost;
  request_reader_.Rest(Phase::kHead);
  request_reader_.set_after_hole(lost);
  return Outcome::kDone;
}

}  // namespace sonde::protocol::http1
