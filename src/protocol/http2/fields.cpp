// SPDX-License-Identifier: Apache-2.0
// Header blocks of the HTTP/2 parser: collected from their frames, decoded, and told apart into
// requests, responses and trailers.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/common/text.h"
#include "protocol/http2/frame.h"
#include "protocol/http2/hpack.h"
#include "protocol/http2/parser.h"
#include "protocol/http2/reader.h"
#include "protocol/http2/streams.h"
#include "protocol/http2/types.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http2 {
namespace {

constexpr const char* kVersion = "2";
constexpr size_t kKeptBlockBytes = 1024;

HttpHeader* Find(FieldList& list, std::string_view name) {
  const auto found = std::ranges::find(list.fields, name, &HttpHeader::name);
  return found == list.fields.end() ? nullptr : &*found;
}

// Moves the value of a pseudo-header out of the list, which keeps its name until DropPseudo.
std::optional<std::string> TakePseudo(FieldList& list, std::string_view name) {
  HttpHeader* found = Find(list, name);
  return found == nullptr ? std::nullopt : std::optional(std::move(found->value));
}

void DropPseudo(FieldList& list) {
  std::erase_if(list.fields, [](const HttpHeader& field) { return field.name.starts_with(':'); });
}

bool Has(const FieldList& list, std::string_view name) {
  return std::ranges::find(list.fields, name, &HttpHeader::name) != list.fields.end();
}

}  // namespace

void Http2Parser::BeginBlock(Direction direction, const Frame& frame) {
  const StreamView& stream = host_.stream(direction);
  const Mark& first = stream.MarkAt(0);
  Block& block = side(direction).block;
  DropBlock(direction);
  block.stream = frame.header.stream;
  block.first = frame.header;
  block.first_ns = first.mono_ns;
  block.first_by = first.who;
  block.source = first.source;
  block.first_position = stream.RawPosition(stream.offset());
  AddToBlock(direction, frame);
}

void Http2Parser::AddToBlock(Direction direction, const Frame& frame) {
  Block& block = side(direction).block;
  block.wire_bytes += kFrameHeaderBytes + frame.header.length;
  if (block.cut) return;  // what follows the missing part cannot be understood
  const auto part = FieldBlock(frame.header, frame.payload);
  const size_t room = host_.limits().max_head_bytes - block.bytes.size();
  const std::string_view bytes = part.value_or(std::string_view());
  const std::string_view kept = bytes.substr(0, room);
  block.cut = frame.cut || !part || bytes.size() > room;
  // The last part is decoded at once.
  const bool stays = !frame.header.has(kFlagEndHeaders);
  if (stays && !host_.memory().Take(kept.size())) {
    block.cut = true;
    return;
  }
  if (stays) block.charged += kept.size();
  block.bytes.append(kept);
}

void Http2Parser::DropBlock(Direction direction) {
  Block& block = side(direction).block;
  host_.memory().Give(block.charged);
  // A moved-to string keeps its buffer, which is wanted for the usual block and not for a large
  // one.
  if (block.bytes.capacity() > kKeptBlockBytes) std::string().swap(block.bytes);
  block = Block();
}

Outcome Http2Parser::FinishBlock(Direction direction) {
  Side& side = this->side(direction);
  FieldList list = side.hpack.Decode(side.block.bytes, host_.limits().max_head_bytes);
  if (side.block.cut) {
    list.broken = true;
    side.hpack.Forget();
  }
  Outcome outcome = Outcome::kSkip;
  if (!direction_known_) {
    if (Has(list, ":status")) LearnDirection(Opposite(direction));
    if (Has(list, ":method") || Has(list, ":path")) LearnDirection(direction);
  }
  // A promised request was made by the server for itself: nobody sent it.
  if (direction_known_ && side.block.first.type == FrameType::kHeaders) {
    outcome = is_request(direction) ? OnRequestFields(direction, list)
                                    : OnResponseFields(direction, list);
    if (side.block.first.has(kFlagEndStream)) EndOf(direction, side.block.stream);
  }
  DropBlock(direction);
  return outcome;
}

Outcome Http2Parser::OnRequestFields(Direction direction, FieldList& list) {
  Block& block = side(direction).block;
  const uint32_t id = block.stream;
  const Mark last = host_.stream(direction).last_mark();
  if (OpenStream* open = streams_.Find(id)) {  // trailers
    open->exchange.request.last_mono_ns = last.mono_ns;
    open->exchange.request.wire_bytes += block.wire_bytes;
    open->last_ns = last.mono_ns;
    return Outcome::kDone;
  }
  // A stream is used once, in rising order: these are trailers of one that is over, or whose start
  // was not seen.
  const bool begins = Has(list, ":method") || Has(list, ":path") || Has(list, ":scheme");
  if (id <= last_request_ || id % 2 == 0 || (!begins && !list.incomplete())) return Outcome::kSkip;
  if (!begins && side(direction).lossy) return Outcome::kSkip;
  last_request_ = id;
  OpenStream* open = streams_.Add(id);
  if (open == nullptr) return Outcome::kSkip;
  HttpRequest& request = open->http().request;
  request.version = kVersion;
  request.method = TakePseudo(list, ":method").value_or("");
  request.target = TakePseudo(list, ":path").value_or("");
  if (HttpHeader* authority = Find(list, ":authority")) {
    if (request.method == "CONNECT" && request.target.empty()) request.target = authority->value;
    authority->name = "host";  // RFC 9113 8.3.1: what Host was in HTTP/1
  }
  DropPseudo(list);
  Exchange& exchange = open->exchange;
  if (list.incomplete()) exchange.truncated |= kTruncatedRequestHead;
  if (streams_.Charge(*open, list.bytes)) {
    request.headers = std::move(list.fields);
  } else {
    exchange.truncated |= kTruncatedRequestHead;
  }
  exchange.id = host_.NextExchangeId();
  exchange.protocol = "http2";
  exchange.role = role_;
  exchange.connection = &host_.info();
  exchange.source = block.source;
  exchange.request = {.seen = true,
                      .first_mono_ns = block.first_ns,
                      .last_mono_ns = std::max(block.first_ns, last.mono_ns),
                      .first_position = block.first_position,
                      .first_by = block.first_by,
                      .last_by = last.who,
                      .wire_bytes = block.wire_bytes};
  open->last_ns = exchange.request.last_mono_ns;
  host_.sink().OnRequestStart({.id = exchange.id,
                               .role = role_,
                               .connection = &host_.info(),
                               .request = exchange.request,
                               .http = &request,
                               .stream = id});
  return Outcome::kDone;
}

Outcome Http2Parser::OnResponseFields(Direction direction, FieldList& list) {
  Block& block = side(direction).block;
  OpenStream* open = streams_.Find(block.stream);
  if (open == nullptr) return Outcome::kSkip;  // its request was not seen, or is answered
  const Mark last = host_.stream(direction).last_mark();
  Exchange& exchange = open->exchange;
  if (!exchange.response.seen) {
    const auto status = TakePseudo(list, ":status");
    const auto number = ParseNumber(status.value_or(""));
    const uint32_t code = number && *number < 1000 ? static_cast<uint32_t>(*number) : 0;
    const bool end = block.first.has(kFlagEndStream);
    if (code >= 100 && code < 200 && !end) return Outcome::kDone;  // interim
    open->http().response.status = code;
    if (!status) exchange.truncated |= kTruncatedResponseHead;
    StartResponse(*open, block, list, last);
    return Outcome::kDone;
  }
  exchange.response.last_mono_ns = std::max(exchange.response.last_mono_ns, last.mono_ns);
  exchange.response.wire_bytes += block.wire_bytes;
  open->last_ns = last.mono_ns;
  DropPseudo(list);
  if (list.incomplete()) exchange.truncated |= kTruncatedResponseHead;
  if (streams_.Charge(*open, list.bytes)) {
    std::ranges::move(list.fields, std::back_inserter(open->http().response.trailers));
  } else {
    exchange.truncated |= kTruncatedResponseHead;
  }
  return Outcome::kDone;
}

void Http2Parser::StartResponse(OpenStream& open, Block& block, FieldList& list, const Mark& last) {
  HttpResponse& response = open.http().response;
  response.version = kVersion;
  DropPseudo(list);
  Exchange& exchange = open.exchange;
  if (list.incomplete()) exchange.truncated |= kTruncatedResponseHead;
  if (streams_.Charge(open, list.bytes)) {
    response.headers = std::move(list.fields);
  } else {
    exchange.truncated |= kTruncatedResponseHead;
  }
  exchange.response = {.seen = true,
                       .first_mono_ns = block.first_ns,
                       .last_mono_ns = std::max(block.first_ns, last.mono_ns),
                       .first_position = block.first_position,
                       .first_by = block.first_by,
                       .last_by = last.who,
                       .wire_bytes = block.wire_bytes};
  open.last_ns = exchange.response.last_mono_ns;
  host_.sink().OnResponseStart(exchange.id, exchange.response);
}

}  // namespace sonde::protocol::http2
