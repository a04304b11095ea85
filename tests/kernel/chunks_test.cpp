// SPDX-License-Identifier: Apache-2.0
// Chunked bodies: the size lines are captured wherever they are, the data between them is not.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "calls.h"
#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"
#include "sonde/wire/capture_limits.h"

namespace sonde::kernel_test {
namespace {

// A response, and where in it framing stands: the head, the size lines with the line end before
// them, the end.
struct Chunked {
  std::string bytes;
  std::vector<std::pair<size_t, size_t>> framing;

  explicit Chunked(const std::vector<size_t>& sizes, const std::string& extension = "") {
    Frame("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < sizes.size(); ++i) {
      char line[32];
      std::snprintf(line, sizeof(line), "%s%zx", i == 0 ? "" : "\r\n", sizes[i]);
      Frame(line + extension + "\r\n");
      bytes.append(sizes[i], 'f');  // a digit, for those who lose their place
    }
    Frame("\r\n0\r\n\r\n");
  }

 private:
  void Frame(const std::string& text) {
    framing.emplace_back(bytes.size(), bytes.size() + text.size());
    bytes += text;
  }
};

class ChunksTest : public FamilyTest {
 protected:
  // The child sends the response in calls that end at `cuts`; every byte of framing must have been
  // captured.
  Coverage ExpectFraming(const Chunked& response, const std::vector<size_t>& cuts) {
    const Pair pair = Connect(Kind::kTcp4);
    const Log log = lab_->Run(
        [&] {
          size_t from = 0;
          for (const size_t to : cuts) {
            Must(SendAll(pair.near.get(), response.bytes.substr(from, to - from)));
            from = to;
          }
        },
        [&] { EXPECT_EQ(ReceiveExactly(pair.far.get(), response.bytes.size()), response.bytes); });
    const ConnectionId id = lab_->Id(pair.near.get());
    const Coverage seen = ExpectStream(log, id, Direction::kSend, response.bytes);
    std::vector<bool> captured(response.bytes.size());
    size_t at = 0;
    for (const Data& record : log.Of(id, Direction::kSend)) {
      const size_t end = at + record.event.length;
      for (size_t i = at; i < at + record.prefix.size(); ++i) captured[i] = true;
      for (size_t i = end - record.tail.size(); i < end; ++i) captured[i] = true;
      at = end;
    }
    for (const auto& [from, to] : response.framing) {
      for (size_t i = from; i < to; ++i)
        EXPECT_TRUE(captured[i]) << "byte " << i << ", framing at " << from;
    }
    return seen;
  }
};

TEST_P(ChunksTest, ManyInOneCall) {
  for (const size_t size : {1, 10, 200, 1000, 5000}) {
    SCOPED_TRACE(size);
    const Chunked response(std::vector<size_t>(8, size));
    const Coverage seen = ExpectFraming(response, {response.bytes.size()});
    if (size >= 1000) {
      EXPECT_LT(seen.captured_bytes, 2000U);
    }
  }
}

TEST_P(ChunksTest, OneLargeChunkOverManyCalls) {
  const Chunked response({300000, 70000});
  std::vector<size_t> cuts;
  for (size_t at = 16384; at < response.bytes.size(); at += 16384) cuts.push_back(at);
  cuts.push_back(response.bytes.size());
  const Coverage seen = ExpectFraming(response, cuts);
  EXPECT_LT(seen.captured_bytes, 10000U);
}

// Cut at each byte around the second size line, in calls too large to be copied whole.
TEST_P(ChunksTest, SizeLineInTwoCalls) {
  const Chunked response({3000, 3000, 3000}, ";name=value");
  const auto [from, to] = response.framing[2];
  for (size_t cut = from - 2; cut <= to + 2; ++cut) {
    SCOPED_TRACE(cut - from);
    ExpectFraming(response, {cut, response.bytes.size()});
  }
}

// As Node and Go write it: head, line, data and line end as segments of one call.
TEST_P(ChunksTest, AnySegments) {
  const Chunked response({2000, 3000});
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = lab_->Run(
      [&] {
        std::vector<iovec> segments;
        size_t from = 0;
        for (const auto& [begin, end] : response.framing) {
          for (const size_t to : {begin, end}) {
            segments.push_back({const_cast<char*>(response.bytes.data()) + from, to - from});
            from = to;
          }
        }
        Must(writev(pair.near.get(), segments.data(), static_cast<int>(segments.size())) ==
             static_cast<ssize_t>(response.bytes.size()));
      },
      [&] { EXPECT_EQ(ReceiveExactly(pair.far.get(), response.bytes.size()), response.bytes); });
  const Coverage seen =
      ExpectStream(log, lab_->Id(pair.near.get()), Direction::kSend, response.bytes);
  EXPECT_EQ(seen.records, 3U);
}

// More chunks in one call than are followed: the rest is one record without its lines, and nothing
// is out of place.
TEST_P(ChunksTest, MoreThanAreFollowed) {
  const Chunked response(std::vector<size_t>(3 * SONDE_MAX_CHUNKS, 200));
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = lab_->Run([&] { Must(SendAll(pair.near.get(), response.bytes)); },
                            [&] { ReceiveExactly(pair.far.get(), response.bytes.size()); });
  const Coverage seen =
      ExpectStream(log, lab_->Id(pair.near.get()), Direction::kSend, response.bytes);
  EXPECT_LE(seen.records, SONDE_MAX_CHUNKS + 2U);
}

// sendfile within a chunk: its bytes count, so the next line is found.
TEST_P(ChunksTest, ChunkFromAFile) {
  const Chunked response({5000, 4000, 2000});
  const Pair pair = Connect(Kind::kTcp4);
  const auto sendfile_call = std::ranges::find_if(
      Calls(), [](const Call& call) { return std::string(call.name) == "sendfile"; });
  const size_t data = response.framing[1].second;
  const Log log = lab_->Run(
      [&] {
        Must(SendAll(pair.near.get(), response.bytes.substr(0, data)));
        sendfile_call->move(pair.near.get(), response.bytes.substr(data, 5000));
        Must(SendAll(pair.near.get(), response.bytes.substr(data + 5000)));
      },
      [&] { ReceiveExactly(pair.far.get(), response.bytes.size()); });
  const auto records = log.Of(lab_->Id(pair.near.get()), Direction::kSend);
  ExpectStream(log, lab_->Id(pair.near.get()), Direction::kSend, response.bytes);
  // head and line, file, line and chunk, line and chunk, end
  ASSERT_EQ(records.size(), 5U);
  EXPECT_TRUE(records[1].event.unseen);
  EXPECT_EQ(records[2].prefix.substr(0, 7), "\r\nfa0\r\n");
  EXPECT_EQ(records[3].prefix.substr(0, 7), "\r\n7d0\r\n");
  EXPECT_EQ(records[4].prefix, "\r\n0\r\n\r\n");
}

SONDE_FOR_EACH_FAMILY(ChunksTest);

}  // namespace
}  // namespace sonde::kernel_test
