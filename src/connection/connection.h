// SPDX-License-Identifier: Apache-2.0
// One connection: recognises its protocol, keeps its two lanes in order and drives its parser.
// Between messages only this object stays (no buffers, no parser): 100,000 idle connections cost
// next to nothing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "connection/environment.h"
#include "connection/lane.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::connection {

// State       | record                                  | both ends closed / Close | verdict told
// ------------|-----------------------------------------|--------------------------|-------------
// kUnknown    | detect; yes -> kParsing, 3 turns or     | forgotten                | none
//             | 512 records of nothing -> kIgnored      |                          |
// kParsing    | Parser::Advance; kUpgrade -> kParsing   | Parser::Close, forgotten | recognised
//             | by the next protocol, or kIgnored       |                          |
// kIgnored    | nothing                                 | forgotten                | refused
enum class State : uint8_t { kUnknown, kParsing, kIgnored };

class Connection final : public ParserHost {
 public:
  Connection(Environment& environment, const OpenEvent& open);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void OnData(const DataEvent& event);
  // True: nothing can come any more, forget the connection (after Close).
  bool OnShutdown(const ShutdownEvent& event);
  // No protocol, or not wanted: nothing is kept of it, and the kernel side is told.
  void Ignore();
  // Gives up what waited too long. Same answer as OnShutdown.
  bool OnTick(uint64_t mono_ns);
  // Everything that is held is parsed, then what is open is given out with `why`. `at_end`: the
  // streams end here, which completes a body that runs until the close.
  void Close(Unfinished why, bool at_end);
  // Drops buffers and parser if nothing is open. True if nothing is left to drop.
  bool Cool();

  // An OpenEvent for the same id: a later process of the same socket, or a reused number.
  bool SameEnds(const OpenEvent& open) const;
  void SetEnds(const OpenEvent& open);

  bool warm() const { return active_ != nullptr; }
  // Something is kept that time may decide about.
  bool waiting() const;
  State state() const { return state_; }
  uint64_t last_ns() const { return last_ns_; }
  uint32_t last_tgid() const { return last_tgid_; }
  ConnectionId id() const { return info_.id; }

  StreamView& stream(Direction direction) override;
  const ConnectionInfo& info() const override { return info_; }
  Role ClaimRequestDirection(Direction direction) override;
  ExchangeSink& sink() override { return environment_.sink; }
  ExchangeId NextExchangeId() override { return ++environment_.last_exchange; }
  const LimitOptions& limits() const override { return environment_.limits; }
  MemoryAccount& memory() override { return environment_.parser_memory; }

  // Hooks of the table's lists (list.h).
  Connection* list_previous = nullptr;
  Connection* list_next = nullptr;
  uint8_t list = 0;
  bool in_waiting = false;

 private:
  // What exists only while there is something to do.
  struct Active {
    Active(Environment& environment, bool wide);
    BufferAccount account;
    std::array<Lane, 2> lanes;
    std::unique_ptr<Parser> parser;
  };

  Active& Activate();
  Lane& lane(Direction direction) { return active_->lanes[static_cast<size_t>(direction)]; }
  const GapPatience& patience() const { return info_.wire ? kWirePatience : kLivePatience; }
  void Insert(Direction direction, Segment& segment);
  void Restart(Direction direction, uint64_t offset);
  void Deliver(Direction direction, const Segment& segment);
  void Drain(Direction direction, uint64_t now_ns, bool force);
  void End(Direction direction, uint64_t now_ns, bool force);
  void Run(Direction direction);
  bool Parse(Direction direction);
  bool HandOver();
  bool OtherIsDue(Direction direction);
  bool Recognise(Direction direction);
  void NotRecognised(Direction direction);
  void SetState(State state, uint8_t protocol);
  Gauge& StateGauge() const;
  bool Over() const { return ended_[0] && ended_[1]; }

  Environment& environment_;
  ConnectionInfo info_;
  std::unique_ptr<Active> active_;
  std::array<uint64_t, 2> next_{};  // offset each stream goes on at; 0 = not begun
  uint64_t last_ns_ = 0;
  uint64_t rest_ = 0;  // Parser::rest
  uint32_t last_tgid_ = 0;
  uint16_t strange_records_ = 0;  // records that no protocol recognised
  uint8_t strange_turns_ = 0;     // of those, first of their turn
  uint8_t protocol_ = 0;          // index in environment_.protocols
  State state_ = State::kUnknown;
  Direction last_strange_ = Direction::kReceive;
  std::array<bool, 2> ended_{};
  bool swapped_ = false;  // wire: local and remote were exchanged
};

}  // namespace sonde::connection
