// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {

std::vector<Data> Log::Of(ConnectionId connection, Direction direction) const {
  std::vector<Data> found;
  std::ranges::copy_if(data, std::back_inserter(found), [&](const Data& d) {
    return d.event.connection == connection && d.event.direction == direction;
  });
  return found;
}

size_t Log::Opens(ConnectionId connection) const {
  return static_cast<size_t>(
      std::ranges::count(opens, connection, [](const OpenEvent& e) { return e.connection; }));
}

size_t Log::Count(ProcessChange change, uint32_t tgid) const {
  return static_cast<size_t>(std::ranges::count_if(processes, [&](const Process& p) {
    return p.event.change == change && p.event.tgid == tgid;
  }));
}

Coverage ExpectStream(const Log& log, ConnectionId connection, Direction direction,
                      std::string_view stream, bool holes) {
  Coverage coverage;
  const auto open = std::ranges::find(log.opens, connection, &OpenEvent::connection);
  if (open == log.opens.end()) {
    EXPECT_TRUE(stream.empty()) << "no OPEN record of connection " << connection;
    return coverage;
  }
  EXPECT_EQ(log.Opens(connection), 1U);
  const bool tcp = open->transport == Transport::kTcp;
  EXPECT_EQ(open->has_begin, tcp);
  uint64_t done = 0;
  for (const Data& record : log.Of(connection, direction)) {
    const uint64_t begin = open->begin[static_cast<size_t>(direction)];
    const uint64_t at =
        tcp ? static_cast<uint32_t>(record.event.position - begin) : record.event.position;
    if (holes ? at < done : at != done) {
      ADD_FAILURE() << "record " << coverage.records << " of " << record.event.length
                    << " bytes stands at " << at << ", expected at " << done;
      return coverage;
    }
    if (at + record.event.length > stream.size()) {
      ADD_FAILURE() << "record ends at " << at + record.event.length << " of " << stream.size();
      return coverage;
    }
    const std::string_view sent = stream.substr(at, record.event.length);
    EXPECT_EQ(record.prefix, sent.substr(0, record.prefix.size()));
    EXPECT_EQ(record.tail, sent.substr(sent.size() - record.tail.size()));
    if (record.event.unseen) {
      EXPECT_EQ(record.prefix.size() + record.tail.size(), 0U);
      coverage.unseen_bytes += record.event.length;
    }
    coverage.missing_bytes += at - done;
    coverage.captured_bytes += record.prefix.size() + record.tail.size();
    ++coverage.records;
    done = at + record.event.length;
  }
  EXPECT_EQ(done, stream.size());
  return coverage;
}

void ExpectWhole(const Log& log, ConnectionId connection, Direction direction,
                 std::string_view stream) {
  EXPECT_EQ(ExpectStream(log, connection, direction, stream).captured_bytes, stream.size());
}

}  // namespace sonde::kernel_test
