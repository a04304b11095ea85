// SPDX-License-Identifier: Apache-2.0
// HTTP/1 behind the real connection stage: any bytes, cuts, order and loss. Two things must hold:
// each exchange is told as the contract says, and messages that were understood are understood the
// same however they are cut into calls.
//
// Input: a byte of options, then records, each ended by 0xff and begun by a letter:
//   < > received, sent           ( ) the same, lost             [ ] the same, captured as far as
//   the next byte says h H held back until the next record of the direction        d D played twice
//   u U payload not seen f F end of one direction     w waits as long as the next byte says c
//   closed     x process exit
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/http1/protocol.h"
#include "protocol/registry.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"
#include "support/conversation.h"
#include "support/exchange_contract.h"
#include "support/fuzz_input.h"

namespace {

using sonde::Direction;
using sonde::testing::Conversation;
using sonde::testing::Mix;
using sonde::testing::OwnedData;
using sonde::testing::Require;

constexpr size_t kMaxRecords = 300;
constexpr size_t kMaxBytes = 20'000;

struct Record {
  char what;
  std::string_view bytes;
};

std::vector<Record> Split(std::string_view rest) {
  std::vector<Record> records;
  while (!rest.empty() && records.size() < kMaxRecords) {
    const std::string_view record = rest.substr(0, rest.find('\xff'));
    rest.remove_prefix(std::min(rest.size(), record.size() + 1));
    if (!record.empty()) records.push_back({record[0], record.substr(1)});
  }
  return records;
}

Conversation::Options OptionsOf(uint8_t options) {
  Conversation::Options out;
  out.wire = (options & 1) != 0;
  out.has_begin = (options & 2) == 0;
  if ((options & 4) != 0) out.first_receive = 0xfffffff0U;
  if ((options & 8) != 0) {
    out.wire = false;
    out.transport = sonde::Transport::kUnix;
    out.first_receive = out.first_send = 0;
  }
  if ((options & 16) != 0) out.limits.max_head_bytes = 64;
  if ((options & 32) != 0) out.limits.connection_bytes = 600;
  return out;
}

Direction DirectionOf(char what) {
  return std::string_view("<([hduf").find(what) != std::string_view::npos ? Direction::kReceive
                                                                          : Direction::kSend;
}

// At most one record.
using Held = std::vector<OwnedData>;

void PlayHeld(Conversation& talk, Held& held) {
  for (const OwnedData& record : std::exchange(held, {})) talk.Play(record);
}

void PlayFaulty(uint8_t options, const std::vector<Record>& records) {
  Conversation talk(sonde::protocol::RegisteredProtocols(), OptionsOf(options));
  std::array<Held, 2> held;
  size_t bytes = 0;
  for (const Record& record : records) {
    const Direction direction = DirectionOf(record.what);
    Held& late = held[static_cast<size_t>(direction)];
    bytes += record.bytes.size();
    switch (record.what) {
      case '<':
      case '>':
        talk.Move(direction, record.bytes);
        break;
      case '(':
      case ')':
        talk.Lose(direction, record.bytes.size());
        break;
      case '[':
      case ']': {
        if (record.bytes.empty()) break;
        const auto part = static_cast<uint8_t>(record.bytes[0]);
        const std::string_view whole = record.bytes.substr(1);
        const size_t prefix = whole.size() * (part & 15U) / 15;
        talk.Cut(direction, whole, prefix, (whole.size() - prefix) * (part >> 4) / 15);
        break;
      }
      case 'h':
      case 'H':
        PlayHeld(talk, late);
        late.push_back(talk.Make(direction, record.bytes));
        continue;
      case 'd':
      case 'D': {
        const OwnedData twice = talk.Make(direction, record.bytes);
        talk.Play(twice).Play(twice);
        break;
      }
      case 'u':
      case 'U': {
        OwnedData unseen = talk.Make(direction, record.bytes);
        unseen.event.unseen = true;
        talk.Play(unseen);
        break;
      }
      case 'f':
      case 'F':
        talk.Fin(direction);
        break;
      case 'w':
        talk.Wait(record.bytes.empty() ? 1 : static_cast<uint8_t>(record.bytes[0]) * 20'000'000ULL);
        break;
      case 'c':
        talk.Close().Open();
        break;
      case 'x':
        talk.table().OnProcessExit(100, talk.now_ns());
        break;
      default:
        break;
    }
    PlayHeld(talk, late);
    Require(talk.table().buffered_bytes() <= (256U << 10));
  }
  talk.Wait(4'000'000'000).Stop();
  Require(talk.table().buffered_bytes() == 0);
  sonde::testing::RequireContract(talk.sink);
  // A parser that is asked much more often than bytes come stands still or goes in circles.
  Require(talk.Metric("sonde_parse_outcomes_total") <=
          static_cast<double>(100 + 20 * records.size() + 4 * bytes));
}

// What was understood, without the times.
std::string Told(const Conversation& talk) {
  std::string text = talk.Text();
  const auto add = [&](const sonde::MessageSpan& span,
                       const std::vector<sonde::HttpHeader>& headers) {
    text += " " + std::to_string(span.first_position) + "+" + std::to_string(span.wire_bytes);
    for (const sonde::HttpHeader& header : headers) text += "\n" + header.name + "=" + header.value;
  };
  for (const sonde::Exchange& exchange : talk.sink.exchanges) {
    const auto& http = std::get<sonde::HttpExchange>(exchange.detail);
    add(exchange.request, http.request.headers);
    add(exchange.response, http.response.headers);
  }
  return text;
}

// Neighbours of one direction are one record here, cut again into pieces of 1 to `longest` bytes.
std::string PlayWhole(uint8_t options, const std::vector<Record>& records, size_t longest,
                      bool& clean) {
  Conversation::Options options_of = OptionsOf(options & (1 | 4 | 8));
  options_of.limits.connection_bytes = 4U << 20;
  Conversation talk(sonde::protocol::RegisteredProtocols(), options_of);
  uint64_t cuts = 0;
  bool begins[2] = {true, true};  // nothing has come yet
  clean = true;
  for (size_t i = 0; i < records.size();) {
    const char what = records[i].what;
    const Direction direction = DirectionOf(what);
    if (what == 'f' || what == 'F') {
      talk.Fin(direction);
      ++i;
      continue;
    }
    std::string run;
    for (; i < records.size() && records[i].what == what; ++i) run += records[i].bytes;
    // What is passed over before the protocol is known depends on the cuts.
    if (std::exchange(begins[static_cast<size_t>(direction)], false)) {
      clean = clean && sonde::protocol::http1::Detect(run) == sonde::Detection::kYes;
    }
    for (size_t at = 0; at < run.size();) {
      const size_t size = longest == SIZE_MAX ? SIZE_MAX : 1 + Mix(++cuts) % longest;
      talk.Move(direction, std::string_view(run).substr(at, size));
      at += std::min(size, run.size() - at);
    }
  }
  talk.Close();
  clean = clean && talk.Metric("sonde_parse_outcomes_total", "skip") == 0 &&
          talk.Metric("sonde_parse_outcomes_total", "invalid") == 0 &&
          talk.sink.verdicts.size() == 1 && talk.sink.verdicts[0].second &&
          talk.Metric("sonde_connections") == 0;
  // An answer from before its request's end: how much of the request it ended depends on the cuts.
  for (const sonde::Exchange& exchange : talk.sink.exchanges) {
    clean = clean && (!exchange.response.seen ||
                      exchange.response.first_mono_ns > exchange.request.last_mono_ns);
  }
  return Told(talk);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > kMaxBytes) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::vector<Record> records = Split(input.substr(1));
  PlayFaulty(data[0], records);

  bool plain = true;
  for (const Record& record : records) {
    plain = plain && std::string_view("<>fF").find(record.what) != std::string_view::npos;
  }
  if (!plain) return 0;
  bool clean = false;
  const std::string whole = PlayWhole(data[0], records, SIZE_MAX, clean);
  if (!clean) return 0;
  for (const size_t longest : {1U, 7U, 60U}) {
    Require(PlayWhole(data[0], records, longest, clean) == whole);
  }
  return 0;
}
