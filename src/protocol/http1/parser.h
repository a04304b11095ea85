// SPDX-License-Identifier: Apache-2.0
// The HTTP/1 parser of one connection: drives a reader per direction and the matcher, and fills
// exchanges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "protocol/http1/match.h"
#include "protocol/http1/reader.h"
#include "protocol/http1/types.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {

class Http1Parser final : public Parser {
 public:
  Http1Parser(ParserHost& host, uint64_t rest);

  Outcome Advance(Direction direction) override;
  bool OnTick(uint64_t mono_ns) override;
  void Close(Unfinished why) override;
  std::optional<Upgrade> TakeUpgrade() override;
  bool idle() const override;
  uint64_t rest() const override;

 private:
  bool LearnDirection(Direction direction, const StreamView& stream);
  StreamView& requests() { return host_.stream(request_direction_); }
  StreamView& responses() { return host_.stream(Opposite(request_direction_)); }

  // request.cpp
  Outcome AdvanceRequest(StreamView& stream);
  Outcome BeginRequest(StreamView& stream);
  bool Doubtful(const StreamView& stream);
  bool MayBeUpgraded(const StreamView& stream);
  Outcome TakeRequest(StreamView& stream, MessageReader::Head found, size_t head_size);
  OpenExchange& OpenRequest(StreamView& stream, size_t head_size, bool truncated);
  void BeginRequestBody(StreamView& stream);
  Outcome ReadRequestBody(StreamView& stream);
  Outcome PassLostRequest(StreamView& stream);
  Outcome FinishRequest(StreamView& stream);

  // response.cpp
  Outcome AdvanceResponse(StreamView& stream);
  Outcome BeginResponse(StreamView& stream);
  Outcome TakeResponse(StreamView& stream, OpenExchange& open, MessageReader::Head found,
                       size_t head_size);
  Outcome WithoutRequest(StreamView& stream, Matcher::Verdict verdict);
  Outcome UpgradeToHttp2(StreamView& stream, OpenExchange& open, size_t head_size);
  void StartResponse(StreamView& stream, OpenExchange& open, size_t head_size);
  void BeginResponseBody(StreamView& stream, uint32_t status);
  Outcome ReadResponseBody(StreamView& stream);
  Outcome PassLostResponse(StreamView& stream);
  Outcome FinishResponse(StreamView& stream);

  // parser.cpp
  void NoteProgress();
  void Emit(size_t index, Unfinished why, uint32_t truncated);
  void GiveUpPairing();

  ParserHost& host_;
  Role role_ = Role::kServer;
  Direction request_direction_ = Direction::kReceive;
  bool direction_known_ = false;
  bool response_seen_ = false;
  bool pairing_lost_ = false;  // until the connection closes
  bool drop_held_ = false;
  uint64_t doubt_since_ns_ = 0;    // bytes between requests were lost since; 0 = none
  uint64_t last_unpaired_ns_ = 0;  // first byte of the last response that was given up
  uint64_t held_since_ns_ = 0;     // a response waits for its request; 0 = none
  MessageReader request_reader_;
  MessageReader response_reader_;
  Matcher matcher_;
  OpenExchange* request_ = nullptr;  // whose request body is being read; null: read, but for nobody
  OpenExchange* response_ = nullptr;  // the same for the response
  BodyFacts request_facts_;           // of heads over the limit
  BodyFacts response_facts_;
  bool response_to_head_ = false;
  uint32_t response_status_ = 0;
  bool request_may_have_body_ = false;
  std::optional<Upgrade> upgrade_;
};

}  // namespace sonde::protocol::http1
