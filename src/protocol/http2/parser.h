// SPDX-License-Identifier: Apache-2.0
// The HTTP/2 parser of one connection: a frame reader and a header table per direction, and the
// open streams.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/http2/hpack.h"
#include "protocol/http2/reader.h"
#include "protocol/http2/streams.h"
#include "protocol/http2/types.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http2 {

// Looks at a stream that is over and makes more of its exchange if it can: what rides on HTTP/2.
using Refine = void (*)(OpenStream& stream);

class Http2Parser final : public Parser {
 public:
  Http2Parser(ParserHost& host, Refine refine);
  ~Http2Parser() override;
  Http2Parser(const Http2Parser&) = delete;
  Http2Parser& operator=(const Http2Parser&) = delete;

  Outcome Advance(Direction direction) override;
  bool OnTick(uint64_t mono_ns) override;
  // RFC 7540 3.2: the request of HTTP/1.1 is stream 1, which its sender has ended already.
  void Adopt(Upgrade upgrade) override;
  void Close(Unfinished why) override;
  // The header tables of both directions are state that 64 bits cannot say: once there is something
  // in one of them the parser lives as long as its connection.
  bool idle() const override;
  uint64_t rest() const override { return 0; }

 private:
  // A header block that is being collected from HEADERS and its CONTINUATIONs.
  struct Block {
    uint32_t stream = 0;  // 0: none
    FrameHeader first;
    std::string bytes;
    size_t charged = 0;  // to the host's memory
    bool cut = false;    // bytes are missing at its end
    uint64_t first_ns = 0;
    uint64_t first_position = 0;
    Execution first_by;
    Source source = Source::kSocket;
    uint64_t wire_bytes = 0;
  };
  struct Side {
    explicit Side(MemoryAccount& memory) : hpack(&memory) {}
    FrameReader reader;
    HpackDecoder hpack;
    Block block;
    FrameHeader taken;   // the frame that is passing
    bool lossy = false;  // frames may have been missed since the connection began
  };

  Side& side(Direction direction) { return sides_[static_cast<size_t>(direction)]; }
  bool is_request(Direction direction) const {
    return direction_known_ && direction == request_direction_;
  }

  // parser.cpp
  Outcome OnFrame(Direction direction, const Frame& frame);
  Outcome OnEnd(Direction direction);
  void OnLost(Direction direction);
  bool MustHold(Direction direction, const Frame& frame);
  void OnBody(Direction direction, const Frame& frame);
  void OnReset(Direction direction, const Frame& frame, uint64_t mono_ns);
  static bool ResponseIsWhole(OpenStream& open);
  void OnGoaway(Direction direction, const Frame& frame);
  void NoteFrame(Direction direction, const FrameHeader& header);
  void EndOf(Direction direction, uint32_t id);
  void Emit(uint32_t id, Unfinished why);
  void LearnDirection(Direction requests);

  // fields.cpp
  void BeginBlock(Direction direction, const Frame& frame);
  void AddToBlock(Direction direction, const Frame& frame);
  void DropBlock(Direction direction);
  Outcome FinishBlock(Direction direction);
  Outcome OnRequestFields(Direction direction, FieldList& list);
  Outcome OnResponseFields(Direction direction, FieldList& list);
  void StartResponse(OpenStream& open, Block& block, FieldList& list, const Mark& last);

  ParserHost& host_;
  Refine refine_;
  std::array<Side, 2> sides_;
  StreamTable streams_;
  bool direction_known_ = false;
  Direction request_direction_ = Direction::kReceive;
  Role role_ = Role::kServer;
  uint32_t last_request_ = 0;   // highest stream a request was seen on
  uint64_t held_since_ns_ = 0;  // a response waits for its request; 0 = none
  bool drop_held_ = false;
  uint64_t next_timeout_ns_ = 0;
};

}  // namespace sonde::protocol::http2
