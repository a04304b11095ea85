// SPDX-License-Identifier: Apache-2.0
// The HTTP/2 parser behind the real connection stage, with arbitrary bytes, cuts and loss. Input:
// records separated by 0xff 0xfe; the first byte of a record says what becomes of it:
//   < > received, sent      ( ) the same, lost      [ ] the same, captured up to a third
//   u payload not seen      w time passes           c closed and opened again
//   { } received, sent, byte by byte
// and `x` at the start of the input: late attach.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "protocol/grpc/call.h"
#include "protocol/http2/frame.h"
#include "protocol/http2/hpack.h"
#include "protocol/registry.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "support/conversation.h"
#include "support/exchange_contract.h"
#include "support/fuzz_input.h"

namespace {

using sonde::Direction;
using sonde::testing::Conversation;
using sonde::testing::Require;

constexpr size_t kMaxRecords = 300;
constexpr size_t kMaxBytes = 20'000;
constexpr std::string_view kBetween("\xff\xfe", 2);

void PlayOne(Conversation& talk, char what, std::string_view bytes) {
  const Direction direction = std::string_view("<([{u").find(what) != std::string_view::npos
                                  ? Direction::kReceive
                                  : Direction::kSend;
  switch (what) {
    case '<':
    case '>':
      talk.Move(direction, bytes);
      break;
    case '{':
    case '}':
      for (const char byte : bytes) talk.Move(direction, {&byte, 1});
      break;
    case '(':
    case ')':
      talk.Lose(direction, bytes.size());
      break;
    case '[':
    case ']':
      if (!bytes.empty()) talk.Cut(direction, bytes, bytes.size() / 3);
      break;
    case 'u': {
      auto unseen = talk.Make(direction, bytes);
      unseen.event.unseen = true;
      talk.Play(unseen);
      break;
    }
    case 'w':
      talk.Wait(bytes.empty() ? 1 : static_cast<uint8_t>(bytes[0]) * 20'000'000ULL);
      break;
    case 'c':
      talk.Close().Open();
      break;
    default:
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > kMaxBytes) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  sonde::protocol::http2::HpackDecoder decoder;
  Require(decoder.Decode(rest, 65536).bytes <= 65536);
  sonde::protocol::grpc::DecodeMessage(rest);

  Conversation::Options options;
  if (rest.front() == 'x') {
    options.has_begin = false;
    rest.remove_prefix(1);
  }
  Conversation talk(sonde::protocol::RegisteredProtocols(), options);
  size_t records = 0;
  size_t bytes = 0;
  while (!rest.empty() && records < kMaxRecords) {
    const std::string_view record = rest.substr(0, rest.find(kBetween));
    rest.remove_prefix(std::min(rest.size(), record.size() + kBetween.size()));
    if (record.empty()) continue;
    ++records;
    bytes += record.size();
    PlayOne(talk, record[0], record.substr(1));
    Require(talk.table().buffered_bytes() <= (256U << 10));
  }
  talk.Wait(4'000'000'000).Stop();
  Require(talk.table().buffered_bytes() == 0);
  sonde::testing::RequireContract(talk.sink);
  Require(talk.Metric("sonde_parse_outcomes_total") <=
          static_cast<double>(100 + 20 * records + 4 * bytes));
  return 0;
}
