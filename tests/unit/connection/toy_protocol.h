// SPDX-License-Identifier: Apache-2.0
// A protocol for tests of the connection stage: it begins with "TOY" and writes down all that it is
// shown.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::testing {

// One exchange per parser, whose target is everything that was seen: "<" received, ">" sent, "[n]"
// a hole, "|" the end.
class ToyParser final : public Parser {
 public:
  ToyParser(ParserHost& host, uint64_t rest) : host_(host), log_(rest != 0 ? "resumed:" : "") {}

  Outcome Advance(Direction direction) override {
    StreamView& stream = host_.stream(direction);
    if (stream.empty()) {
      if (stream.ended()) log_ += "|";
      return Outcome::kNeedMore;
    }
    log_ += direction == Direction::kReceive ? "<" : ">";
    log_ += stream.bytes();
    const bool upgrade = stream.bytes() == "UPGRADE";
    open_ = log_.find("OPEN") != std::string::npos;
    stream.Consume(stream.bytes().size());
    if (stream.hole() > 0) {
      log_ += "[" + std::to_string(stream.hole()) + "]";
      stream.Skip(stream.hole());
    }
    return upgrade ? Outcome::kUpgrade : Outcome::kDone;
  }
  bool OnTick(uint64_t) override { return false; }
  void Close(Unfinished why) override {
    if (closed_) return;
    closed_ = true;
    open_ = false;
    Exchange exchange;
    exchange.id = host_.NextExchangeId();
    exchange.protocol = "toy";
    exchange.connection = &host_.info();
    exchange.unfinished = why;
    exchange.detail.emplace<HttpExchange>().request.target = log_;
    host_.sink().OnExchange(exchange);
  }
  bool idle() const override { return !open_; }
  uint64_t rest() const override { return 1; }

 private:
  ParserHost& host_;
  std::string log_;
  bool open_ = false;
  bool closed_ = false;
};

inline ProtocolList ToyProtocols() {
  static constexpr Protocol kToy[] = {
      {.name = "toy",
       .detect =
           [](std::string_view bytes) {
             constexpr std::string_view kStart = "TOY";
             const size_t common = bytes.size() < kStart.size() ? bytes.size() : kStart.size();
             if (bytes.substr(0, common) != kStart.substr(0, common)) return Detection::kNo;
             return common == kStart.size() ? Detection::kYes : Detection::kNeedMore;
           },
       .create = [](ParserHost& host, uint64_t rest) -> std::unique_ptr<Parser> {
         return std::make_unique<ToyParser>(host, rest);
       }},
  };
  return kToy;
}

}  // namespace sonde::testing
