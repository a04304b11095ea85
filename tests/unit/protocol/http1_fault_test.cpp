// SPDX-License-Identifier: Apache-2.0
// Faults at every place and by chance: a connection that is reset, an attach, a lost record, random
// bytes. Each answer names its request, so that a wrong pair shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/registry.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "support/conversation.h"

namespace sonde::protocol {
namespace {

using testing::Conversation;
using testing::OwnedData;

constexpr auto kIn = Direction::kReceive;
constexpr auto kOut = Direction::kSend;
constexpr uint64_t kLongAgo = 200'000'000;

struct Message {
  std::string request;
  std::string response;
};

// One of each kind of framing; `n` is in target and answer. Bodies hold what looks like messages.
Message MessageOf(int n) {
  const std::string target = "/" + std::to_string(n);
  const std::string answer = "HTTP/1.1 200 OK\r\nX-For: " + target + "\r\n";
  const std::string evil = "GET /evil HTTP/1.1\r\n\r\nHTTP/1.1 500 Evil\r\nX-For: /evil\r\n\r\n";
  const std::string length = "Content-Length: " + std::to_string(evil.size()) + "\r\n\r\n";
  const std::string chunk = "Transfer-Encoding: chunked\r\n\r\n16\r\n" + evil.substr(0, 22) +
                            "\r\n23;x\r\n" + evil.substr(22) + "\r\n0\r\n\r\n";
  switch (n % 6) {
    case 0:
      return {"GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n",
              answer + "Content-Length: 2\r\n\r\nok"};
    case 1:
      return {"POST " + target + " HTTP/1.1\r\n" + length + evil, answer + length + evil};
    case 2:
      return {"PUT " + target + " HTTP/1.1\r\n" + length + evil, answer + chunk};
    case 3:
      return {"POST " + target + " HTTP/1.1\r\n" + chunk, answer + "Content-Length: 0\r\n\r\n"};
    case 4:
      return {"HEAD " + target + " HTTP/1.1\r\n\r\n", answer + "Content-Length: 9999\r\n\r\n"};
    default:
      return {"GET " + target + " HTTP/1.1\r\n\r\n",
              "HTTP/1.1 103 Early\r\n\r\n" + answer + length + evil};
  }
}

// "" if each exchange has the answer that names it, and none was made of a body.
std::string Wrong(const Conversation& talk) {
  std::string wrong;
  for (const Exchange& exchange : talk.sink.exchanges) {
    const auto& http = std::get<HttpExchange>(exchange.detail);
    if (http.request.target == "/evil") wrong += "body taken for a request; ";
    for (const HttpHeader& header : http.response.headers) {
      if (header.name == "x-for" && header.value != http.request.target) {
        wrong += http.request.target + " got " + header.value + "; ";
      }
    }
  }
  return wrong;
}

int Whole(const Conversation& talk) {
  return static_cast<int>(
      std::count_if(talk.sink.exchanges.begin(), talk.sink.exchanges.end(), [](const Exchange& e) {
        return e.request.seen && e.response.seen && e.truncated == 0 &&
               e.unfinished == Unfinished::kNo;
      }));
}

// Bytes of a body that begin like a message, at the start of a record, behind a hole: nobody can
// tell.
bool BeginsLikeAMessage(std::string_view bytes) {
  bytes.remove_prefix(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
  bytes.remove_prefix(std::min(bytes.find_first_not_of("GET"), bytes.size()));
  return bytes.starts_with(" /evil") || bytes.starts_with("HTTP/1.1 500");
}

TEST(Fault, ClosedAfterEveryByte) {
  for (int n = 0; n < 6; ++n) {
    const Message message = MessageOf(n);
    const std::string all = message.request + message.response;
    for (size_t end = 0; end <= all.size(); ++end) {
      Conversation talk(RegisteredProtocols());
      talk.Receive(all.substr(0, std::min(end, message.request.size())));
      if (end > message.request.size()) {
        talk.Send(all.substr(message.request.size(), end - message.request.size()));
      }
      talk.Close();
      const size_t head = message.request.find("\r\n\r\n") + 4;
      ASSERT_EQ(talk.sink.exchanges.size(), end >= head ? 1U : 0U) << n << " at " << end;
      EXPECT_EQ(talk.sink.starts.size(), talk.sink.exchanges.size());
      EXPECT_EQ(Whole(talk), end == all.size() ? 1 : 0) << n << " at " << end << talk.Text();
      EXPECT_EQ(Wrong(talk), "");
      EXPECT_EQ(talk.table().size(), 0U);
      EXPECT_EQ(talk.table().buffered_bytes(), 0U);
    }
  }
}

// What came before the attach is not known; from the second whole exchange on, all is seen.
TEST(Fault, AttachedBeforeEveryByte) {
  for (const bool opened : {false, true}) {
    for (int n = 0; n < 6; ++n) {
      const Message message = MessageOf(n);
      const std::string all = message.request + message.response;
      for (size_t from = 1; from <= all.size(); ++from) {
        // Nor can anybody tell a method whose first letters are missing.
        if (BeginsLikeAMessage(std::string_view(all).substr(from)) || from < 5) continue;
        Conversation talk(RegisteredProtocols(), {.open = opened, .has_begin = false});
        if (from < message.request.size()) talk.Receive(message.request.substr(from));
        talk.Send(all.substr(std::max(from, message.request.size())));
        for (int next = 6; next < 14; ++next) {
          const Message later = MessageOf(next);
          talk.Receive(later.request).Send(later.response);
        }
        talk.Wait(kLongAgo).Close();
        ASSERT_EQ(Wrong(talk), "") << n << " from " << from;
        ASSERT_GE(Whole(talk), 7) << n << " from " << from << "\n" << talk.Text();
      }
    }
  }
}

// One record of each connection is lost, by any cuts.
TEST(Fault, HolesAnywhere) {
  std::mt19937 random(4);
  for (int round = 0; round < 3000; ++round) {
    Conversation talk(RegisteredProtocols());
    const int lost_at = static_cast<int>(random() % 8);
    for (int n = 0; n < 12; ++n) {
      const Message message = MessageOf(n);
      for (const auto& [direction, bytes] :
           {std::pair(kIn, message.request), std::pair(kOut, message.response)}) {
        size_t cut = random() % bytes.size();
        while (BeginsLikeAMessage(std::string_view(bytes).substr(cut))) ++cut;
        const bool lose_first = random() % 2 == 0;
        const bool lose = n == lost_at && (direction == kIn) == (round % 2 == 0);
        const std::string parts[] = {bytes.substr(0, cut), bytes.substr(cut)};
        for (int part = 0; part < 2; ++part) {
          if (parts[part].empty()) continue;
          if (lose && (part == 0) == lose_first) {
            talk.Lose(direction, parts[part].size());
          } else {
            talk.Move(direction, parts[part]);
          }
        }
      }
      if (random() % 3 == 0) talk.Wait(kLongAgo);
    }
    talk.Wait(kLongAgo).Wait(kLongAgo).Close();
    ASSERT_EQ(Wrong(talk), "") << "round " << round << "\n" << talk.Text();
    ASSERT_EQ(talk.sink.starts.size(), talk.sink.exchanges.size());
    // The exchange with the hole and the one behind it at the most.
    ASSERT_GE(Whole(talk), 10) << "round " << round << " lost at " << lost_at << "\n"
                               << talk.Text();
  }
}

// Many faults at once: nothing can be said about what remains, but what remains is right.
TEST(Fault, ManyAtOnceNeverMakeAWrongPair) {
  std::mt19937 random(17);
  for (int round = 0; round < 2000; ++round) {
    const bool wire = round % 3 == 0;
    // Where it is not known at which byte a direction begins, a loss before the first one seen
    // cannot be told.
    const bool begin_known = random() % 2 == 0;
    Conversation talk(RegisteredProtocols(), {.wire = wire, .has_begin = begin_known});
    std::vector<OwnedData> late;
    for (int n = 0; n < 20; ++n) {
      const Message message = MessageOf(n);
      for (const auto& [direction, bytes] :
           {std::pair(kIn, message.request), std::pair(kOut, message.response)}) {
        for (size_t at = 0; at < bytes.size();) {
          size_t size = 1 + random() % bytes.size();
          while (
              BeginsLikeAMessage(std::string_view(bytes).substr(std::min(at + size, bytes.size()))))
            ++size;
          const std::string piece = bytes.substr(at, size);
          at += piece.size();
          const auto fault = n == 0 && !begin_known ? 3 : random() % 20;
          if (fault == 0) {
            talk.Lose(direction, piece.size());
          } else if (fault == 1) {
            talk.Cut(direction, piece, random() % (piece.size() + 1));
          } else if (fault == 2) {
            late.push_back(talk.Make(direction, piece));
          } else {
            talk.Move(direction, piece);
          }
          if (!late.empty() && random() % 3 == 0) {
            talk.Play(late.back());
            late.pop_back();
          }
        }
      }
      // Nothing is late for longer than a hole stays open.
      for (; !late.empty() && n % 4 == 3; late.pop_back()) talk.Play(late.back());
      if (late.empty() && random() % 3 == 0) talk.Wait(wire ? 20 * kLongAgo : kLongAgo);
    }
    talk.Wait(20 * kLongAgo).Wait(20 * kLongAgo).Close();
    ASSERT_EQ(Wrong(talk), "") << "round " << round << "\n" << talk.Text();
    ASSERT_EQ(talk.table().buffered_bytes(), 0U);
  }
}

TEST(Fault, GapInABodyOfKnownLength) {
  Conversation talk(RegisteredProtocols());
  talk.Receive("POST /0 HTTP/1.1\r\nContent-Length: 300\r\n\r\n" + std::string(100, 'a'))
      .Lose(kIn, 100)
      .Receive(std::string(100, 'c'));
  talk.Send("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n0123456789").Lose(kOut, 10);
  talk.Send("0123456789").Receive("GET /1 HTTP/1.1\r\n\r\n").Send("HTTP/1.1 204 N\r\n\r\n");
  EXPECT_EQ(talk.Text(), "POST /0 200 in:300 out:30\nGET /1 204");
}

TEST(Fault, GapInABodyUntilTheEnd) {
  Conversation talk(RegisteredProtocols());
  talk.Receive("GET /0 HTTP/1.0\r\n\r\n").Send("HTTP/1.0 200 OK\r\n\r\nabc").Lose(kOut, 100);
  talk.Send("def").Fin(kOut).Wait(kLongAgo).Close();
  EXPECT_EQ(talk.Text(), "GET /0 200 out:106");
}

// Neither crash nor memory, and soon left alone.
TEST(Fault, RandomBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    Conversation talk(RegisteredProtocols(), {.wire = round % 2 == 0});
    for (int i = 0; i < 40; ++i) {
      std::string bytes(random() % 600, '\0');
      std::ranges::generate(bytes, [&] { return static_cast<char>(random()); });
      // Something to hold on to, now and then.
      if (i == 10 && round % 4 == 0) bytes.insert(0, "GET / HTTP/1.1\r\n");
      if (!bytes.empty()) talk.Move(random() % 2 == 0 ? kIn : kOut, bytes);
    }
    EXPECT_LE(talk.table().buffered_bytes(), size_t{256} << 10);
    talk.Wait(20 * kLongAgo).Stop();
    EXPECT_EQ(talk.table().buffered_bytes(), 0U);
  }
}

TEST(Fault, RandomBytesBehindARequest) {
  std::mt19937 random(2);
  for (int round = 0; round < 500; ++round) {
    Conversation talk(RegisteredProtocols());
    const Message first = MessageOf(round);
    talk.Receive(first.request).Send(first.response);
    for (int i = 0; i < 10; ++i) {
      std::string bytes(1 + random() % 300, '\0');
      std::ranges::generate(bytes, [&] { return static_cast<char>(random()); });
      talk.Move(random() % 2 == 0 ? kIn : kOut, bytes);
    }
    const Message last = MessageOf(round + 1);
    talk.Wait(kLongAgo).Receive(last.request).Send(last.response);
    EXPECT_EQ(Wrong(talk), "");
    EXPECT_EQ(Whole(talk), 2) << talk.Text();
  }
}

}  // namespace
}  // namespace sonde::protocol
