// SPDX-License-Identifier: Apache-2.0
// Calls of any bytes, lengths and directions on one socket: what the policy wants is within the
// call, budgets hold, and the end of a head is where the plain way finds it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "sonde/wire/capture.h"
#include "sonde/wire/capture_limits.h"
#include "unit/wire/wire_input.h"
#include "unit/wire/wire_socket.h"

namespace {

using sonde::wire_test::Socket;
using sonde::wire_test::Taken;

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckHeadEnd(std::string_view bytes, uint32_t carry) {
  uint32_t plain = carry;
  const uint32_t expected = sonde::wire_test::PlainHeadEnd(bytes.substr(0, SONDE_HEAD_SCAN), plain);
  Require(sonde::wire_test::HeadEnd(bytes, carry) == expected);
  Require(expected != 0 || carry == plain);
}

void CheckCall(Socket& socket, uint32_t direction, std::string_view bytes) {
  const sonde_capture_state before = socket.state();
  const Taken taken = socket.Call(direction, bytes);
  const sonde_capture_state& after = socket.state();
  Require(uint64_t{taken.captured} + taken.tail <= bytes.size());
  Require(!taken.quiet || taken.captured + taken.tail == 0);
  Require(before.socket_class != SONDE_CLASS_REFUSED || after.socket_class == SONDE_CLASS_REFUSED);
  Require(after.direction[0].partial_bytes < 8 && after.direction[1].partial_bytes < 8);
  Require(after.direction[0].budget <= SONDE_HEAD_BUDGET &&
          after.direction[1].budget <= SONDE_HEAD_BUDGET);
  // A small record of a connection that speaks HTTP is copied whole.
  if (after.socket_class == SONDE_CLASS_HTTP1 && bytes.size() <= SONDE_SMALL_RECORD) {
    Require(taken.captured == bytes.size());
  }
  // What follows a 101 response in its call may be a head of the next protocol; then all begins
  // anew.
  const bool upgraded = (after.flags & SONDE_CAPTURE_UPGRADED) != 0 &&
                        after.direction[0].budget == SONDE_UNKNOWN_BUDGET &&
                        after.direction[1].budget == SONDE_UNKNOWN_BUDGET;
  Require(after.socket_class != SONDE_CLASS_UNKNOWN ||
          taken.captured <= (upgraded ? SONDE_HEAD_BUDGET : SONDE_UNKNOWN_BUDGET));
}

void CheckChunkLine(sonde_chunk_walk& walk, std::string_view bytes) {
  sonde_chunk_bytes line = {};
  const size_t count = std::min(bytes.size(), sizeof(line.bytes));
  std::memcpy(line.bytes, bytes.data(), count);
  const uint32_t used = sonde_chunk_line(&walk, &line, static_cast<uint32_t>(count));
  Require(used <= count && walk.until <= UINT32_MAX);
  Require(walk.state <= SONDE_CHUNK_EXTENSION && walk.digits <= SONDE_CHUNK_MAX_DIGITS);
  // Short of the end only for a reason.
  Require(used == count || walk.state == SONDE_CHUNK_OFF || bytes[used - 1] == '\n');
}

}  // namespace

// Input: calls of 4 bytes (what, length low and high, times the bytes are repeated) and `length`
// bytes. Bits of `what`: 0 direction, 1-2 verdict, 3 only half is readable, 4 unseen.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Socket socket;
  sonde_chunk_walk walk = {};
  sonde_chunk_begin(&walk, 0);
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (rest.size() > 4) {
    const auto what = static_cast<uint8_t>(rest[0]);
    const size_t length =
        static_cast<uint8_t>(rest[1]) | static_cast<size_t>(static_cast<uint8_t>(rest[2])) << 8;
    const size_t times = 1 + static_cast<uint8_t>(rest[3]) % 8;
    rest.remove_prefix(4);
    const std::string_view piece = rest.substr(0, length);
    rest.remove_prefix(piece.size());
    if (piece.empty()) continue;
    std::string bytes;
    for (size_t i = 0; i < times; ++i) bytes += piece;
    CheckHeadEnd(bytes, what % 3U);
    CheckChunkLine(walk, bytes);
    socket.set_verdict(what >> 1 & 3U);
    if ((what & 16) != 0) {
      sonde_capture_unseen(&socket.state(), what & 1U, static_cast<uint32_t>(bytes.size()));
    } else if ((what & 8) != 0) {
      const Taken taken = socket.Call(what & 1U, bytes, bytes.size() / 2);
      Require(uint64_t{taken.captured} + taken.tail <= bytes.size());
    } else {
      CheckCall(socket, what & 1U, bytes);
    }
  }
  return 0;
}
