// SPDX-License-Identifier: Apache-2.0
// Records in any order, with holes, repetitions, overlaps, jumps and ends, on a few connections
// with small limits. Every byte has its value by its position, so a parser can tell that it is
// shown the right ones.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "connection/connection_table.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"
#include "support/fuzz_input.h"

namespace {

using sonde::testing::FuzzInput;
using sonde::testing::Mix;
using sonde::testing::Require;

constexpr size_t kTotalBytes = 6000;
constexpr size_t kConnectionBytes = 3000;
constexpr size_t kMaxConnections = 3;
constexpr size_t kMaxRecords = 400;

// Of one run.
struct Run {
  uint64_t seed = 0;
  uint64_t decisions = 0;
  uint64_t now_ns = 0;
  sonde::Counter* repairs = nullptr;  // a repair moves bytes on purpose
  int parsers = 0;

  uint64_t Decide() { return Mix(seed + ++decisions); }
};
// Parsers have no other way to the input.
Run run;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

char ByteAt(sonde::ConnectionId connection, size_t direction, uint64_t raw) {
  return static_cast<char>(Mix(Mix(connection * 2 + direction) + (raw & UINT32_MAX)));
}

class CheckingParser final : public sonde::Parser {
 public:
  CheckingParser(sonde::ParserHost& host, uint64_t rest) : host_(host) {
    Require(rest == 0 || rest == host.info().id + 7);
    ++run.parsers;
  }
  ~CheckingParser() override { --run.parsers; }

  sonde::Outcome Advance(sonde::Direction direction) override {
    Require(!over_);
    sonde::StreamView& stream = host_.stream(direction);
    Check(stream, static_cast<size_t>(direction));
    const std::string_view bytes = stream.bytes();
    const uint64_t decision = run.Decide();
    if (stream.empty()) return sonde::Outcome::kNeedMore;
    switch (decision % 8) {
      case 0:
        return sonde::Outcome::kNeedMore;
      case 1:
        stream.Skip(decision >> 8 & 1023);  // perhaps beyond what is there
        return sonde::Outcome::kSkip;
      case 2:
        if (decision >> 8 & 15) break;
        over_ = true;
        return sonde::Outcome::kUpgrade;
      case 3:
        stream.Consume(bytes.size() / 2);
        return sonde::Outcome::kDone;
      case 4:
        stream.Skip(stream.record_left());
        return sonde::Outcome::kSkip;
      default:
        break;
    }
    stream.Consume(bytes.size());
    if (stream.hole() > 0) stream.Skip(stream.hole());
    return sonde::Outcome::kDone;
  }
  bool OnTick(uint64_t mono_ns) override {
    Require(!over_ && mono_ns <= run.now_ns);
    return run.Decide() % 4 == 0;
  }
  void Close(sonde::Unfinished) override { over_ = true; }
  bool idle() const override { return over_ || run.Decide() % 4 != 0; }
  uint64_t rest() const override { return host_.info().id + 7; }

 private:
  void Check(sonde::StreamView& stream, size_t direction) {
    const uint64_t front = stream.offset();
    Require(front >= offsets_[direction]);
    offsets_[direction] = front;
    const std::string_view bytes = stream.bytes();
    for (size_t i = 0; i < bytes.size() && run.repairs->value() == 0; ++i) {
      Require(bytes[i] == ByteAt(host_.info().id, direction, stream.RawPosition(front + i)));
    }
    if (stream.empty()) return;
    Require(stream.record_left() > 0);
    if (!bytes.empty()) {
      Require(stream.MarkAt(0).mono_ns <= run.now_ns);
      Require(stream.MarkAt(0).mono_ns > 0 && stream.MarkAt(bytes.size() - 1).mono_ns > 0);
    }
  }

  sonde::ParserHost& host_;
  std::array<uint64_t, 2> offsets_{};
  bool over_ = false;
};

sonde::Detection Detect(std::string_view bytes) {
  if (bytes.empty()) return sonde::Detection::kNeedMore;
  const int kind = bytes[0] & 7;
  if (kind == 0) return sonde::Detection::kNo;
  return kind == 1 && bytes.size() < 3 ? sonde::Detection::kNeedMore : sonde::Detection::kYes;
}

class Sink final : public sonde::ExchangeSink, public sonde::VerdictSink {
 public:
  void OnRequestStart(const sonde::RequestStart&) override {}
  void OnResponseStart(sonde::ExchangeId, const sonde::MessageSpan&) override {}
  void OnExchange(const sonde::Exchange&) override {}
  void OnVerdict(sonde::ConnectionId, sonde::Verdict) override {}
};

class Driver {
 public:
  Driver(FuzzInput& input, sonde::connection::ConnectionTable& table)
      : input_(input), table_(table) {
    mode_ = input_.Byte();
    for (auto& direction : next_) direction.fill(mode_ & 4 ? 0xfffffe00U : 1000);
  }

  void Step() {
    const uint8_t op = input_.Byte();
    const auto direction = static_cast<sonde::Direction>(op & 1);
    run.now_ns += 1000;
    // A third of all ids, so that connections are evicted and come again.
    const sonde::ConnectionId id = 1 + (op >> 5);
    switch (op >> 1 & 15) {
      case 0:
        return Open(id);
      case 1:
        run.now_ns += input_.Byte() * 20'000'000ULL;
        return table_.OnTick(run.now_ns);
      case 2:
        return Shut(id);
      case 3:
        return table_.OnProcessExit(1 + op % 3, run.now_ns);
      case 4:  // far away: a new numbering, or a very large hole
        Next(id, direction) += uint64_t{input_.Two()} << (unix_socket() ? 48 : 16);
        return;
      case 5:  // not seen at all
        Next(id, direction) += input_.Two() & 2047;
        return;
      case 6:  // seen already, or not yet
        return Data(id, direction, int64_t{static_cast<int8_t>(input_.Byte())} * 8);
      default:
        return Data(id, direction, 0);
    }
  }

 private:
  bool unix_socket() const { return (mode_ & 1) != 0; }
  uint64_t& Next(sonde::ConnectionId id, sonde::Direction direction) {
    return next_[id % next_.size()][static_cast<size_t>(direction)];
  }
  uint64_t Raw(uint64_t position) const { return unix_socket() ? position : position & UINT32_MAX; }

  void Open(sonde::ConnectionId id) {
    sonde::OpenEvent event{
        .mono_ns = run.now_ns, .connection = id, .who = {}, .local = {}, .remote = {}};
    event.transport = unix_socket() ? sonde::Transport::kUnix : sonde::Transport::kTcp;
    event.wire = (mode_ & 2) != 0 && !unix_socket();
    event.local.port = input_.Byte() & 1;
    event.local.family = 4;
    event.has_begin = (mode_ & 8) != 0;
    event.begin = {Raw(Next(id, sonde::Direction::kReceive)),
                   Raw(Next(id, sonde::Direction::kSend))};
    table_.OnOpen(event);
  }

  void Shut(sonde::ConnectionId id) {
    const uint8_t how = input_.Byte();
    const auto direction = how & 1 ? sonde::Direction::kReceive : sonde::Direction::kSend;
    table_.OnShutdown({.mono_ns = run.now_ns,
                       .connection = id,
                       .receive = (how & 1) != 0,
                       .send = (how & 2) != 0,
                       .has_position = (how & 4) != 0,
                       .position = Raw(Next(id, direction) + (how >> 4))});
  }

  void Data(sonde::ConnectionId id, sonde::Direction direction, int64_t shift) {
    uint64_t& next = Next(id, direction);
    const uint64_t position = shift < 0 && next < static_cast<uint64_t>(-shift) ? 0 : next + shift;
    const uint32_t length = input_.Two() & 2047;
    const uint8_t captured = input_.Byte();
    size_t prefix = length;
    size_t tail = 0;
    if (captured >= 128) {
      prefix = length * (captured & 15) / 16;
      tail = (length - prefix) * (captured >> 4 & 7) / 8;
    }
    // From the heap and freed at once: a view that is kept too long is found by the sanitizer.
    const auto bytes = std::make_unique<char[]>(prefix + tail);
    for (size_t i = 0; i < prefix + tail; ++i) {
      const uint64_t at = i < prefix ? position + i : position + length - tail + (i - prefix);
      bytes[i] = ByteAt(id, static_cast<size_t>(direction), at);
    }
    table_.OnData({.mono_ns = run.now_ns,
                   .connection = id,
                   .position = Raw(position),
                   .who = {.tgid = 1 + captured % 3U, .tid = 1, .id = 0},
                   .length = length,
                   .direction = direction,
                   .unseen = captured == 127,
                   .prefix = {bytes.get(), prefix},
                   .tail = {bytes.get() + prefix, tail}});
    next = std::max(next, position + length);
  }

  FuzzInput& input_;
  sonde::connection::ConnectionTable& table_;
  uint8_t mode_ = 0;
  std::array<std::array<uint64_t, 2>, 8> next_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr sonde::Protocol kProtocols[] = {
      {.name = "checked",
       .detect = Detect,
       .create = [](sonde::ParserHost& host, uint64_t rest) -> std::unique_ptr<sonde::Parser> {
         return std::make_unique<CheckingParser>(host, rest);
       }},
  };
  sonde::LimitOptions limits;
  limits.connection_bytes = kConnectionBytes;
  limits.total_connection_bytes = kTotalBytes;
  limits.max_connections = kMaxConnections;
  FuzzInput input(data, size);
  sonde::MetricRegistry metrics;
  Sink sink;
  run = {.seed = input.Two(), .now_ns = 1'000'000'000};
  run.repairs = &metrics.AddCounter("sonde_stream_events_total", "", {{"event", "repair"}});
  const auto table =
      sonde::connection::ConnectionTable::Create(limits, kProtocols, sink, sink, metrics).value();
  Driver driver(input, *table);
  for (size_t i = 0; i < kMaxRecords && !input.empty(); ++i) {
    driver.Step();
    Require(table->buffered_bytes() <= kTotalBytes);
    Require(table->size() <= kMaxConnections);
  }
  table->Shutdown(run.now_ns);
  Require(table->size() == 0 && table->buffered_bytes() == 0 && run.parsers == 0);
  for (const sonde::MetricFamily& family : metrics.Snapshot()) {
    if (family.name != "sonde_connections") continue;
    for (const sonde::MetricSample& sample : family.samples) Require(sample.value == 0);
  }
  return 0;
}
