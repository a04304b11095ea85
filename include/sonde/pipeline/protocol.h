// SPDX-License-Identifier: Apache-2.0
// The contract between the connection stage and the protocol parsers. The connection stage owns
// byte streams and knows no protocol; a parser owns messages and their pairing and knows no
// sockets. Everything here runs on the drain thread.
//
// One parser serves one connection, both directions. Several exchanges may be open in it at once
// (pipelining, streams): it hands them to the ExchangeSink itself, in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"

namespace sonde {

// Which call moved a byte: when, by whom, seen where.
struct Mark {
  uint64_t mono_ns = 0;
  Execution who;
  Source source = Source::kSocket;
};

// One direction of a connection as a parser sees it: a front, captured bytes behind it, perhaps a
// hole behind those. Offsets grow without wrapping. Views into bytes() are valid until the next
// Consume or Skip.
class StreamView {
 public:
  virtual ~StreamView() = default;

  // Offset of the front: bytes before it were consumed or skipped.
  virtual uint64_t offset() const = 0;
  // Position as the records name it (TCP: 32-bit sequence number).
  virtual uint64_t RawPosition(uint64_t offset) const = 0;
  // Captured bytes that follow the front without a break.
  virtual std::string_view bytes() const = 0;
  // Bytes right behind bytes() that exist but were not captured and will never come; 0 = none
  // known.
  virtual uint64_t hole() const = 0;
  // No record was seen for some of the hole at the front: when its bytes were moved is not known.
  virtual bool lost() const = 0;
  // The front is the first byte that some call moved.
  virtual bool at_record_start() const = 0;
  // Bytes, captured or not, from the front to the end of what its call moved.
  virtual uint64_t record_left() const = 0;
  // It was known where the stream begins before its first record came, so that a loss at its start
  // shows as a hole.
  virtual bool begin_known() const = 0;
  // Nothing will come behind bytes() and hole().
  virtual bool ended() const = 0;
  // The call that moved the byte at offset() + ahead, which must lie in bytes(), or be the front of
  // a hole that is not lost().
  virtual const Mark& MarkAt(uint64_t ahead) const = 0;
  // The call that moved the last byte before the front of which a record was seen.
  virtual const Mark& last_mark() const = 0;

  // Moves the front over n <= bytes().size() bytes.
  virtual void Consume(size_t n) = 0;
  // Moves the front over n bytes, captured, missing, or still to come. offset() follows as they
  // come, and the parser is called again when all n have passed (or the stream ended before).
  virtual void Skip(uint64_t n) = 0;

  bool empty() const { return bytes().empty() && hole() == 0; }
};

// What one call of Parser::Advance did.
enum class Outcome : uint8_t {
  kDone,      // one message was consumed to its end; call again
  kNeedMore,  // nothing can be done before more bytes, a hole or the end; what is left in bytes()
              // is kept
  kSkip,  // bytes were given up because of loss or because their message's start was not seen; call
          // again
  kInvalid,  // bytes that are no message were given up; call again
  kUpgrade,  // the connection speaks something else from here on: the parser is asked TakeUpgrade,
             // closed, and never called again
};
constexpr size_t kOutcomeCount = 5;

// Room for what parsers keep between calls, beside the streams: bounded over all connections. What
// was taken is given back at the latest when its owner is destroyed.
class MemoryAccount {
 public:
  // False, and counted: there is no room, so it is not to be kept.
  virtual bool Take(size_t bytes) = 0;
  virtual void Give(size_t bytes) = 0;

 protected:
  ~MemoryAccount() = default;
};

// What the connection stage lends to a parser; outlives it.
class ParserHost {
 public:
  virtual StreamView& stream(Direction direction) = 0;
  virtual const ConnectionInfo& info() const = 0;
  // Says which way requests flow, as soon as the parser knows; may be said again. The answer is the
  // role of this side.
  virtual Role ClaimRequestDirection(Direction direction) = 0;
  virtual ExchangeSink& sink() = 0;
  virtual ExchangeId NextExchangeId() = 0;
  virtual const LimitOptions& limits() const = 0;
  virtual MemoryAccount& memory() = 0;

 protected:
  ~ParserHost() = default;
};

// What a connection speaks after kUpgrade, if the parser knows.
struct Upgrade {
  std::string_view protocol;  // as registered
  Direction requests = Direction::kReceive;
  Exchange open;  // begun by the old parser, whose OnRequestStart was said; ended by the new one
};

class Parser {
 public:
  virtual ~Parser() = default;

  // Bytes, a hole or the end were added to `direction`, or the last call asked to be called again.
  // The stream is not empty, or a skip was completed, or it has ended.
  virtual Outcome Advance(Direction direction) = 0;
  // About every 50 ms while anything is kept in a stream, else about every second while the parser
  // is not idle. What was kept waiting too long is given up; the return value says whether Advance
  // should be called for both directions.
  virtual bool OnTick(uint64_t mono_ns) = 0;
  // The connection, or the reading of it, is over: every open exchange is given out with this
  // reason.
  virtual void Close(Unfinished why) = 0;

  // After kUpgrade. Nothing: the connection is left alone.
  virtual std::optional<Upgrade> TakeUpgrade() { return std::nullopt; }
  // Right after its creation, to a parser whose protocol an Upgrade named: both streams stand where
  // it begins.
  virtual void Adopt(Upgrade&& /*upgrade*/) {}

  // Between messages, with nothing open: the object may be destroyed and made again from `rest`
  // when bytes come.
  virtual bool idle() const = 0;
  // All that a new parser must know to go on where this one stood; asked only when idle.
  virtual uint64_t rest() const = 0;
};

enum class Detection : uint8_t { kNo, kYes, kNeedMore };

enum class Verdict : uint8_t {
  kRefused,
  kMessages,  // heads and bodies: HTTP/1
  kFrames,    // frames of HTTP/2
};

// One line of src/protocol/registry.cpp. All functions are pure and bounded.
struct Protocol {
  const char* name;  // as exported: Exchange::protocol, label of metrics
  // Judges the first bytes of a record, of either direction. kNeedMore: could become this protocol
  // with more bytes.
  Detection (*detect)(std::string_view bytes);
  // `rest` is 0 at first, else what an earlier parser of this connection said.
  std::unique_ptr<Parser> (*create)(ParserHost& host, uint64_t rest);
  // How the kernel is to look at it.
  Verdict verdict = Verdict::kMessages;
};

using ProtocolList = std::span<const Protocol>;

// Hears, so that the kernel copies what is needed and no more: once that userspace recognised a
// protocol, and once that a connection is of no interest (any more).
class VerdictSink {
 public:
  virtual ~VerdictSink() = default;
  virtual void OnVerdict(ConnectionId connection, Verdict verdict) = 0;
};

}  // namespace sonde
