// SPDX-License-Identifier: Apache-2.0
// HTTP/2 in the kernel: frame headers and header blocks are captured wherever they are in a call
// and its segments, DATA is not, and few records say so.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"
#include "sonde/wire/capture_limits.h"
#include "sonde/wire/frame_walk.h"

namespace sonde::kernel_test {
namespace {

// Frames, and which bytes of them must be captured.
struct Frames {
  std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  std::vector<std::pair<size_t, size_t>> wanted{{0, SONDE_PREFACE_BYTES}};

  void Add(uint8_t type, uint32_t stream, size_t length) {
    const size_t begin = bytes.size();
    for (int shift = 16; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<char>(length >> shift));
    bytes.push_back(static_cast<char>(type));
    bytes.push_back(0);
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<char>(stream >> shift));
    for (size_t i = 0; i < length; ++i) bytes.push_back(static_cast<char>(i * 31 + stream));
    const size_t kept = type == 0 ? std::min<size_t>(length, SONDE_DATA_BYTES) : length;
    wanted.emplace_back(begin, begin + SONDE_FRAME_HEADER + kept);
  }
  // As gRPC sends a call.
  void AddCall(uint32_t stream, size_t message) {
    Add(8, 0, 4);
    Add(1, stream, 30 + stream % 50);
    Add(0, stream, message);
  }
};

class FramesTest : public FamilyTest {
 protected:
  // The child sends `frames` in calls that end at `cuts`, each in segments of `segment` bytes.
  Coverage ExpectFrames(const Frames& frames, std::vector<size_t> cuts, size_t segment) {
    const Pair pair = Connect(Kind::kTcp4);
    cuts.push_back(frames.bytes.size());
    const Log log = lab_->Run(
        [&] {
          size_t from = 0;
          for (const size_t to : cuts) {
            std::vector<iovec> segments;
            for (; from < to; from += segments.back().iov_len) {
              segments.push_back(
                  {const_cast<char*>(frames.bytes.data()) + from, std::min(segment, to - from)});
            }
            ssize_t size = 0;
            for (const iovec& one : segments) size += static_cast<ssize_t>(one.iov_len);
            const int count = static_cast<int>(segments.size());
            Must(writev(pair.near.get(), segments.data(), count) == size);
          }
        },
        [&] { EXPECT_EQ(ReceiveExactly(pair.far.get(), frames.bytes.size()), frames.bytes); });
    const ConnectionId id = lab_->Id(pair.near.get());
    const Coverage seen = ExpectStream(log, id, Direction::kSend, frames.bytes);
    std::vector<bool> captured(frames.bytes.size());
    size_t at = 0;
    for (const Data& record : log.Of(id, Direction::kSend)) {
      for (size_t i = 0; i < record.prefix.size(); ++i) captured[at + i] = true;
      at += record.event.length;
    }
    for (const auto& [from, to] : frames.wanted) {
      for (size_t i = from; i < to; ++i)
        EXPECT_TRUE(captured[i]) << "byte " << i << ", frame at " << from;
    }
    return seen;
  }
};

TEST_P(FramesTest, ManyCallsInOneWrite) {
  Frames frames;
  for (uint32_t i = 0; i < 80; ++i) frames.AddCall(2 * i + 1, i * 40);
  const double dropped = lab_->Dropped("segments");
  const Coverage seen = ExpectFrames(frames, {SONDE_PREFACE_BYTES}, 500);
  EXPECT_LE(seen.records, 82U);  // one a call, not one a frame
  EXPECT_LT(seen.captured_bytes, 80U * (13 + 9 + 80 + 9 + SONDE_DATA_BYTES) + 2 * 1024);
  EXPECT_EQ(lab_->Dropped("segments") - dropped, 0);
}

// As grpcio: every frame header, block and message is a segment of its own; hundreds in one call.
TEST_P(FramesTest, ManySegments) {
  Frames frames;
  for (uint32_t i = 0; i < 40; ++i) frames.AddCall(2 * i + 1, 30 + i);
  const size_t behind_preface = SONDE_PREFACE_BYTES;
  for (const size_t segment : {7, 13, 64}) {
    SCOPED_TRACE(segment);
    ExpectFrames(frames, {behind_preface}, segment);
  }
}

TEST_P(FramesTest, CutAnywhere) {
  Frames frames;
  for (uint32_t i = 0; i < 20; ++i) frames.AddCall(2 * i + 1, 200);
  const size_t middle = frames.wanted[30].first;
  for (size_t cut = middle - 3; cut < middle + 30; ++cut) {
    SCOPED_TRACE(cut - middle);
    ExpectFrames(frames, {SONDE_PREFACE_BYTES, cut}, 100);
  }
}

TEST_P(FramesTest, BlocksLargerThanAPiece) {
  Frames frames;
  for (const size_t size : {8000, 8200, 20000, 40000}) {
    frames.Add(1, 1, size);
    frames.Add(9, 1, 500);
    frames.Add(0, 1, 20000);
  }
  ExpectFrames(frames, {SONDE_PREFACE_BYTES}, 1000);
}

SONDE_FOR_EACH_FAMILY(FramesTest);

}  // namespace
}  // namespace sonde::kernel_test
