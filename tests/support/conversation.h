// SPDX-License-Identifier: Apache-2.0
// Lets a test of the connection stage read like a conversation: a table, its sinks, and a mock
// clock that moves by one microsecond with every record.
//
//   Conversation talk;
//   talk.Receive("GET / HTTP/1.1\r\n\r\n").Send("HTTP/1.1 200 OK\r\nContent-Length:
//   0\r\n\r\n").Close(); EXPECT_EQ(talk.Text(), "GET / 200");
//
// Records can be made first and played later, in another order or with some left out: see Record
// and Play.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "connection/connection_table.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::testing {

// Keeps what the stage says, in order.
class CollectingSink final : public ExchangeSink, public VerdictSink {
 public:
  struct Start {
    ExchangeId id = 0;
    Role role = Role::kServer;
    MessageSpan request;
    std::string method;
  };
  void OnRequestStart(const RequestStart& start) override {
    starts.push_back(
        {start.id, start.role, start.request, start.http != nullptr ? start.http->method : ""});
  }
  void OnResponseStart(ExchangeId id, const MessageSpan& response) override {
    responses.emplace_back(id, response);
  }
  void OnExchange(const Exchange& exchange) override {
    infos.push_back(*exchange.connection);
    exchanges.push_back(exchange);
    exchanges.back().connection = nullptr;
  }
  void OnVerdict(ConnectionId connection, Verdict verdict) override {
    verdicts.emplace_back(connection, verdict != Verdict::kRefused);
  }

  std::vector<Start> starts;
  std::vector<std::pair<ExchangeId, MessageSpan>> responses;
  std::vector<Exchange> exchanges;
  std::vector<ConnectionInfo> infos;  // of the exchange at the same index
  std::vector<std::pair<ConnectionId, bool>> verdicts;
};

// An event that owns its bytes.
struct OwnedData {
  DataEvent event;
  std::string prefix;
  std::string tail;
};

class Conversation {
 public:
  struct Options {
    LimitOptions limits{};
    Transport transport = Transport::kTcp;
    bool wire = false;
    uint32_t first_receive = 1000;  // positions the two directions begin at
    uint32_t first_send = 5000;
    bool open = true;       // send an OpenEvent
    bool has_begin = true;  // which says where the directions begin
  };

  // No default protocols: this header is used with real and with toy parsers.
  explicit Conversation(ProtocolList protocols) : Conversation(protocols, Options()) {}
  Conversation(ProtocolList protocols, Options options) : options_(options) {
    table_ = std::move(
        connection::ConnectionTable::Create(options.limits, protocols, sink, sink, metrics)
            .value());
    positions_[0] = options.first_receive;
    positions_[1] = options.first_send;
    if (options.open) Open();
  }

  connection::ConnectionTable& table() { return *table_; }
  uint64_t now_ns() const { return now_ns_; }

  Conversation& Open() {
    OpenEvent event{.mono_ns = now_ns_,
                    .connection = connection_,
                    .who = who_,
                    .transport = options_.transport,
                    .wire = options_.wire,
                    .local = {},
                    .remote = {},
                    .has_begin = options_.has_begin,
                    .begin = {positions_[0], positions_[1]}};
    if (options_.transport == Transport::kTcp) {
      event.local = {.family = 4, .port = 8080, .address = {127, 0, 0, 1}, .path = {}};
      event.remote = {.family = 4, .port = 40000, .address = {127, 0, 0, 1}, .path = {}};
    }
    table_->OnOpen(event);
    return *this;
  }
  // The connection that the next calls mean. Positions go on where the last connection's stood.
  Conversation& On(ConnectionId id) {
    connection_ = id;
    return *this;
  }
  Conversation& As(Execution who) {
    who_ = who;
    return *this;
  }
  Conversation& Wait(uint64_t nanoseconds) {
    now_ns_ += nanoseconds;
    table_->OnTick(now_ns_);
    return *this;
  }

  Conversation& Receive(std::string_view bytes) { return Play(Make(Direction::kReceive, bytes)); }
  Conversation& Send(std::string_view bytes) { return Play(Make(Direction::kSend, bytes)); }
  Conversation& Move(Direction direction, std::string_view bytes) {
    return Play(Make(direction, bytes));
  }
  // Only the first `prefix` and the last `tail` bytes are captured.
  Conversation& Cut(Direction direction, std::string_view bytes, size_t prefix, size_t tail = 0) {
    OwnedData data = Make(direction, bytes);
    data.prefix = bytes.substr(0, prefix);
    data.tail = bytes.substr(bytes.size() - tail);
    return Play(data);
  }
  // The bytes exist, but no record of them comes.
  Conversation& Lose(Direction direction, uint64_t length) {
    positions_[static_cast<size_t>(direction)] += length;
    return *this;
  }

  // A record of the next bytes of its direction, not played yet.
  OwnedData Make(Direction direction, std::string_view bytes) {
    now_ns_ += 1000;
    uint64_t& position = positions_[static_cast<size_t>(direction)];
    OwnedData data{.event = {.mono_ns = now_ns_,
                             .connection = connection_,
                             .position = position,
                             .who = who_,
                             .length = static_cast<uint32_t>(bytes.size()),
                             .direction = direction,
                             .prefix = {},
                             .tail = {}},
                   .prefix = std::string(bytes),
                   .tail = {}};
    if (options_.transport == Transport::kTcp) data.event.position &= UINT32_MAX;
    position += bytes.size();
    return data;
  }
  Conversation& Play(const OwnedData& data) {
    // From the heap and freed at once, so that a view that is kept too long is found by the
    // sanitizer.
    const auto prefix = std::make_unique<std::string>(data.prefix.data(), data.prefix.size());
    const auto tail = std::make_unique<std::string>(data.tail.data(), data.tail.size());
    prefix->shrink_to_fit();
    DataEvent event = data.event;
    event.prefix = *prefix;
    event.tail = *tail;
    table_->OnData(event);
    return *this;
  }

  Conversation& Shut(Direction direction) {
    return Shut(direction == Direction::kReceive, direction == Direction::kSend);
  }
  Conversation& Close() { return Shut(true, true); }
  Conversation& Shut(bool receive, bool send) {
    now_ns_ += 1000;
    table_->OnShutdown(
        {.mono_ns = now_ns_, .connection = connection_, .receive = receive, .send = send});
    return *this;
  }
  // The end of one direction behind all bytes made so far, as a FIN says it.
  Conversation& Fin(Direction direction) {
    now_ns_ += 1000;
    table_->OnShutdown({.mono_ns = now_ns_,
                        .connection = connection_,
                        .receive = direction == Direction::kReceive,
                        .send = direction == Direction::kSend,
                        .has_position = true,
                        .position = positions_[static_cast<size_t>(direction)] & UINT32_MAX});
    return *this;
  }
  Conversation& Stop() {
    table_->Shutdown(now_ns_);
    return *this;
  }

  double Metric(std::string_view name, std::string_view label_value = {}) const {
    double sum = 0;
    for (const MetricFamily& family : metrics.Snapshot()) {
      if (family.name != name) continue;
      for (const MetricSample& sample : family.samples) {
        bool wanted = label_value.empty();
        for (const auto& [key, value] : sample.labels) wanted = wanted || value == label_value;
        if (wanted) sum += sample.value;
      }
    }
    return sum;
  }

  // One line per exchange: method, target, status, and what was not as it should be.
  std::string Text() const {
    std::string text;
    for (const Exchange& exchange : sink.exchanges) {
      if (!text.empty()) text += '\n';
      text += Describe(exchange);
    }
    return text;
  }
  static std::string Describe(const Exchange& exchange) {
    const HttpExchange* http = exchange.http();
    if (http == nullptr) return exchange.protocol;
    std::string text = http->request.method + " " + http->request.target;
    if (const auto* rpc = std::get_if<RpcExchange>(&exchange.detail)) {
      text = "grpc " + rpc->method;
      if (rpc->has_status) text += " status:" + std::to_string(rpc->status);
      if (!rpc->message.empty()) text += " " + rpc->message;
    }
    text += exchange.response.seen ? " " + std::to_string(http->response.status) : " -";
    if (http->request.has_body_bytes && http->request.body_bytes > 0) {
      text += " in:" + std::to_string(http->request.body_bytes);
    }
    if (http->response.has_body_bytes && http->response.body_bytes > 0) {
      text += " out:" + std::to_string(http->response.body_bytes);
    }
    if (http->reset) text += " reset:" + std::to_string(static_cast<int32_t>(http->reset_code));
    constexpr const char* kWhy[] = {"", " closed", " shutdown", " timeout"};
    text += kWhy[static_cast<size_t>(exchange.unfinished)];
    if (exchange.truncated != 0) text += " truncated:" + std::to_string(exchange.truncated);
    return text;
  }

  MetricRegistry metrics;
  CollectingSink sink;

 private:
  Options options_;
  std::unique_ptr<connection::ConnectionTable> table_;
  ConnectionId connection_ = 1;
  Execution who_{.tgid = 100, .tid = 101, .id = 0};
  uint64_t now_ns_ = 1'000'000'000;
  uint64_t positions_[2] = {0, 0};
};

}  // namespace sonde::testing
