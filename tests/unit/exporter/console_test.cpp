// SPDX-License-Identifier: Apache-2.0
// Golden output of the console, and its behaviour towards readers that stop or go.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "exporter/console/console_exporter.h"
#include "exporter/console/summary.h"
#include "exporter/console/text.h"
#include "exporter/console/tree_view.h"
#include "unit/exporter/samples.h"

namespace sonde::exporter {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

void Set(Span& span, std::string_view key, AttributeValue value) {
  for (Attribute& attribute : span.attributes) {
    if (attribute.key == key) {
      attribute.value = std::move(value);
      return;
    }
  }
  span.attributes.push_back({key, std::move(value)});
}

void At(Span& span, uint64_t from_us, uint64_t to_us) {
  span.start_wall_ns = kNoon + (from_us * 1000);
  span.end_wall_ns = kNoon + (to_us * 1000);
}

void Fail(Span& span, int64_t status) {
  Set(span, "http.response.status_code", status);
  Set(span, "error.type", std::to_string(status));
  span.status = SpanStatus::kError;
}

// nginx -> cart, nginx -> payment -> a database that does not answer.
std::vector<Span> Checkout() {
  Span root = ServerSpan(1, MakeResource("nginx"));
  root.name = "POST /checkout/{id}";
  Set(root, "url.path", "/checkout/8812");
  Set(root, "url.query", "ref=mail&token=REDACTED");
  At(root, 0, 42'100);
  Fail(root, 502);
  Span to_cart = ClientSpan(2, root);
  At(to_cart, 1000, 20'000);
  Span cart = ServerSpan(3, MakeResource("cart"));
  cart.trace_id = root.trace_id;
  cart.parent_span_id = to_cart.span_id;
  At(cart, 1500, 19'400);
  Set(cart, "sonde.link.method", "connection");
  Span to_payment = ClientSpan(4, root);
  to_payment.name = "POST";
  Set(to_payment, "url.full", "http://127.0.0.1:5002/pay/8812");
  Set(to_payment, "server.port", int64_t{5002});
  At(to_payment, 20'500, 41'000);
  Fail(to_payment, 500);
  Span payment = ServerSpan(5, MakeResource("payment-service"));
  payment.trace_id = root.trace_id;
  payment.parent_span_id = to_payment.span_id;
  payment.name = "POST /pay/{id}";
  Set(payment, "url.path", "/pay/8812");
  At(payment, 21'000, 40'500);
  Fail(payment, 500);
  Span to_database = ClientSpan(6, payment);
  to_database.attributes = {{"url.full", "http://db.internal:9200/_search"},
                            {"server.address", "db.internal"},
                            {"server.port", int64_t{9200}},
                            {"error.type", "timeout"},
                            {"sonde.link.method", "thread"}};
  to_database.status = SpanStatus::kError;
  At(to_database, 23'000, 40'200);
  return {cart, to_cart, to_database, payment, to_payment, root};
}

Span Single(const std::string& name, const std::string& path, int64_t status) {
  Span span = ServerSpan(7, MakeResource("nginx"));
  span.name = name;
  Set(span, "url.path", path);
  Set(span, "http.response.status_code", status);
  At(span, 50'000, 50'400);
  return span;
}

class ConsoleTest : public ::testing::Test {
 protected:
  ConsoleTest() {
    setenv("TZ", "UTC", 1);
    tzset();
    EXPECT_EQ(pipe2(pipe_, O_CLOEXEC), 0);
  }
  ~ConsoleTest() override {
    for (const int fd : pipe_) {
      if (fd >= 0) close(fd);
    }
  }
  // What the exporter has written so far. The pipe holds 64 KiB.
  std::string Read() {
    fcntl(pipe_[0], F_SETFL, O_NONBLOCK);
    std::string text;
    char buffer[4096];
    for (ssize_t n = 0; (n = read(pipe_[0], buffer, sizeof(buffer))) > 0;)
      text.append(buffer, static_cast<size_t>(n));
    return text;
  }
  std::string Print(ConsoleFormat format, const std::vector<Span>& spans, const Style& style = {}) {
    ConsoleExporter exporter(format, pipe_[1], {}, style);
    EXPECT_EQ(exporter.Export(spans, steady_clock::now() + 5s).code, ExportOutcome::Code::kDone);
    exporter.Flush();
    return Read();
  }
  void CloseReader() {
    close(pipe_[0]);
    pipe_[0] = -1;
  }

  int pipe_[2] = {-1, -1};
};

TEST_F(ConsoleTest, TreeOfATrace) {
  EXPECT_EQ(Print(ConsoleFormat::kTree, Checkout()), std::string_view(R"(
12:00:00.000 nginx  POST /checkout/{id} /checkout/8812?ref=mail&token=REDACTED    502  42.1 ms  ━━━━━━━━━━━━━━━━━━━━━━━━
    c510c70f ├─ → 127.0.0.1:5001 GET /cart/42?ref=mail · thread                   200  19.0 ms   ━━━━━━━━━━
             │  └─ cart  GET /cart/{id} /cart/42 · connection                     200  17.9 ms   ━━━━━━━━━━
             └─ → 127.0.0.1:5002 POST /pay/8812 · thread                          500  20.5 ms              ━━━━━━━━━━━
                └─ payment-service  POST /pay/{id} /pay/8812                      500  19.5 ms              ━━━━━━━━━━━
                   └─ → db.internal:9200 GET /_search ✗ timeout · thread               17.2 ms               ━━━━━━━━━━
)")
                                                         .substr(1));
}

TEST_F(ConsoleTest, NarrowTreeKeepsTheErrorAndEveryLineFits) {
  Style style;
  style.width = 60;
  const std::string text = Print(ConsoleFormat::kTree, Checkout(), style);
  EXPECT_THAT(text, HasSubstr("✗ timeout"));
  EXPECT_THAT(text, HasSubstr("…"));
  size_t start = 0;
  for (size_t end = 0; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    EXPECT_LE(SafeWidth(text.substr(start, end - start)), 60U) << text.substr(start, end - start);
  }
}

TEST_F(ConsoleTest, SingleSpansAreSingleLinesInOrderOfTime) {
  Span later = Single("GET /img/{file}", "/img/\x1b[31mlogo.png", 404);
  later.trace_id.bytes[0] ^= 1;
  At(later, 60'000, 60'031);
  EXPECT_EQ(Print(ConsoleFormat::kTree, {later, Single("GET /", "/", 200)}), std::string_view(R"(
12:00:00.050 nginx  GET /                                                         200   400 µs
12:00:00.060 nginx  GET /img/{file} /img/\x1b[31mlogo.png                         404  31.0 µs
)")
                                                                                 .substr(1));
}

TEST_F(ConsoleTest, ColoursOnATerminal) {
  Style style;
  style.color = true;
  style.terminal = true;
  EXPECT_EQ(Print(ConsoleFormat::kTree, {Single("GET /", "/", 200)}, style),
            "\x1b[2m12:00:00.050\x1b[0m \x1b[33mnginx\x1b[0m  \x1b[1mGET /\x1b[0m" +
                std::string(57, ' ') + "\x1b[32m200\x1b[0m   400 µs\n");
  const std::string failed = Print(ConsoleFormat::kTree, Checkout(), style);
  EXPECT_THAT(failed, HasSubstr("\x1b[1;31mPOST /checkout/{id}\x1b[0m"));
  EXPECT_THAT(failed, HasSubstr("\x1b[31m✗ timeout\x1b[0m"));
}

TEST_F(ConsoleTest, LinePerSpan) {
  EXPECT_EQ(Print(ConsoleFormat::kLine, {Checkout()[2], Checkout()[5], Single("GET /", "/", 200)}),
            std::string_view(R"(
12:00:00.023 c510c70f client   -     17.2 ms  payment-service  → db.internal:9200 GET /_search ✗ timeout · thread
12:00:00.000 c510c70f server   502   42.1 ms  nginx            POST /checkout/{id} /checkout/8812?ref=mail&token=REDACTED
12:00:00.050 5a76f94e server   200    400 µs  nginx            GET /
)")
                .substr(1));
}

TEST_F(ConsoleTest, LineIsWholeInAPipeAndCutOnATerminal) {
  const Span span = Single("GET /{path}", "/" + std::string(500, 'a'), 200);
  EXPECT_GT(Print(ConsoleFormat::kLine, {span}).size(), 500U);
  Style style;
  style.terminal = true;
  style.width = 80;
  const std::string line = Print(ConsoleFormat::kLine, {span}, style);
  EXPECT_EQ(SafeWidth(line.substr(0, line.size() - 1)), 80U);
}

TEST_F(ConsoleTest, JsonPerSpan) {
  const Span hard = HardSpan(9, MakeResource("shop"));
  const std::string text = Print(ConsoleFormat::kJson, {hard, Single("GET /", "/", 200)});
  const size_t first = text.find('\n');
  const auto json = nlohmann::json::parse(text.substr(0, first));
  EXPECT_EQ(json["time"], "2026-11-21T12:00:00.000000000Z");
  EXPECT_EQ(json["trace_id"], hard.trace_id.ToHex());
  EXPECT_EQ(json["parent_span_id"], hard.parent_span_id.ToHex());
  EXPECT_EQ(json["kind"], "server");
  EXPECT_EQ(json["service"], "shop");
  EXPECT_EQ(json["status"], "error");
  EXPECT_EQ(json["duration_ns"], 42'100'000);
  EXPECT_EQ(json["attributes"]["url.path"], "/cart/42");
  EXPECT_EQ(json["attributes"]["smallest"], INT64_MIN);
  EXPECT_EQ(json["attributes"]["list"], nlohmann::json::parse(R"(["a","","b\"c"])"));
  EXPECT_EQ(nlohmann::json::parse(text.substr(first + 1))["parent_span_id"], "");
}

// Whatever a stranger put into a request, a terminal sees no control sequence of his.
TEST_F(ConsoleTest, NoControlCharacterReachesTheTerminal) {
  std::string hostile;
  for (int c = 1; c < 256; ++c) hostile += static_cast<char>(c);
  hostile +=
      "\xc2\x9b"
      "31m\xe2\x80\xae\xe2\x80\x8b\xef\xbb\xbf";
  Span span = ServerSpan(1, MakeResource(hostile));
  span.name = hostile;
  span.status = SpanStatus::kError;
  Set(span, "url.path", hostile);
  Set(span, "error.type", hostile);
  Set(span, "sonde.link.method", hostile);
  Span client = ClientSpan(2, span);
  Set(client, "server.address", hostile);
  for (const ConsoleFormat format :
       {ConsoleFormat::kTree, ConsoleFormat::kLine, ConsoleFormat::kJson}) {
    Style style;
    style.width = 180;
    for (const char c : Print(format, {span, client}, style)) {
      EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n') << static_cast<int>(c);
    }
    const std::string text = Print(format, {span, client}, style);
    EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos);
    const bool reversed = text.find("\xe2\x80\xae") != std::string::npos;
    EXPECT_TRUE(format == ConsoleFormat::kJson || !reversed);
  }
}

TEST_F(ConsoleTest, TraceIsShownOnceItIsQuiet) {
  ConsoleExporter exporter(ConsoleFormat::kTree, pipe_[1], {.quiet = 100ms}, Style{});
  const std::vector<Span> spans = Checkout();
  exporter.Export(std::span(spans).first(3), steady_clock::now() + 1s);
  exporter.Tick();
  EXPECT_EQ(Read(), "");
  exporter.Export(std::span(spans).subspan(3), steady_clock::now() + 1s);
  std::this_thread::sleep_for(120ms);
  exporter.Tick();
  const std::string text = Read();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 6);
  exporter.Flush();
  EXPECT_EQ(Read(), "");
}

TEST_F(ConsoleTest, BeyondWhatCanBeReadItCounts) {
  ConsoleExporter exporter(ConsoleFormat::kTree, pipe_[1], {.traces_per_second = 5}, Style{});
  std::vector<Span> spans;
  for (uint64_t i = 0; i < 1245; ++i) {
    spans.push_back(ServerSpan(i + 1, nullptr));
    spans.push_back(ClientSpan(i + 5000, spans.back()));
    if (i == 700) spans.back().status = SpanStatus::kError;
  }
  exporter.Export(spans, steady_clock::now() + 5s);
  exporter.Flush();
  const std::string text = Read();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), (5 * 2) + 1);
  EXPECT_THAT(text, HasSubstr("… 1,240 more traces in the last second, 1 failed span\n"));
}

TEST_F(ConsoleTest, ClosedReaderEndsTheOutputQuietly) {
  ConsoleExporter exporter(ConsoleFormat::kLine, pipe_[1], {}, Style{});
  CloseReader();
  const ExportOutcome outcome = exporter.Export(Checkout(), steady_clock::now() + 1s);
  EXPECT_EQ(outcome.code, ExportOutcome::Code::kFailed);
  EXPECT_EQ(exporter.Export(Checkout(), steady_clock::now() + 1s).code,
            ExportOutcome::Code::kFailed);
  exporter.Tick();
  exporter.Flush();
}

TEST_F(ConsoleTest, StoppedReaderCostsTheDeadlineAndNothingIsLostOrTwice) {
  ConsoleExporter exporter(ConsoleFormat::kJson, pipe_[1], {}, Style{});
  std::vector<std::vector<Span>> batches;
  std::string received;
  size_t taken = 0;
  bool blocked = false;
  for (uint64_t i = 0; i < 200; ++i) batches.push_back({ServerSpan(i + 1, nullptr)});
  const auto start = steady_clock::now();
  while (taken < batches.size()) {
    const auto outcome = exporter.Export(batches[taken], steady_clock::now() + 20ms);
    if (outcome.code == ExportOutcome::Code::kDone) {
      ++taken;
    } else {
      ASSERT_EQ(outcome.code, ExportOutcome::Code::kRetry);
      blocked = true;
      received += Read();
    }
    ASSERT_LT(steady_clock::now() - start, 20s);
  }
  exporter.Flush();
  received += Read();
  EXPECT_TRUE(blocked);
  EXPECT_EQ(std::count(received.begin(), received.end(), '\n'), 200);
}

TEST(TreeViewTest, RingsOfParentsAndDeepChainsEnd) {
  std::vector<Span> ring{ServerSpan(1, nullptr), ServerSpan(2, nullptr), ServerSpan(3, nullptr)};
  for (size_t i = 0; i < 3; ++i) ring[i].parent_span_id = ring[(i + 1) % 3].span_id;
  ring.push_back(ServerSpan(4, nullptr));
  ring[3].parent_span_id = ring[3].span_id;
  std::string out;
  EXPECT_EQ(AppendTree(out, ring, Style{}), 4U);

  std::vector<Span> chain{ServerSpan(1, nullptr)};
  for (uint64_t i = 2; i <= 3000; ++i) {
    chain.push_back(ServerSpan(i, nullptr));
    chain.back().parent_span_id = chain[i - 2].span_id;
  }
  out.clear();
  EXPECT_EQ(AppendTree(out, chain, Style{}), 101U);
  EXPECT_THAT(out, HasSubstr("… 2,900 more spans in this trace"));
}

TEST(TreeViewTest, ClockThatWentBackwards) {
  std::vector<Span> spans{ServerSpan(1, nullptr), ServerSpan(2, nullptr)};
  spans[0].end_wall_ns = spans[0].start_wall_ns - 5;
  spans[1].start_wall_ns = 0;
  spans[1].end_wall_ns = UINT64_MAX;
  std::string out;
  EXPECT_EQ(AppendTree(out, spans, Style{}), 2U);
}

TEST(TextTest, Durations) {
  const std::vector<std::pair<uint64_t, std::string>> cases = {{0, "0 ns"},
                                                               {999, "999 ns"},
                                                               {1000, "1.00 µs"},
                                                               {9994, "9.99 µs"},
                                                               {9999, "10.0 µs"},
                                                               {12'340, "12.3 µs"},
                                                               {999'949, "1000 µs"},
                                                               {1'000'000, "1.00 ms"},
                                                               {42'100'000, "42.1 ms"},
                                                               {1'240'000'000, "1.24 s"},
                                                               {59'990'000'000, "60.0 s"},
                                                               {123'000'000'000, "2m 03s"}};
  for (const auto& [ns, text] : cases) EXPECT_EQ(FormatDuration(ns), text) << ns;
}

TEST(TextTest, CutsAtTheWidth) {
  const auto cut = [](std::string_view text, size_t width) {
    std::string out;
    const size_t used = AppendSafe(out, text, width);
    EXPECT_EQ(used, SafeWidth(out));
    EXPECT_LE(used, width);
    return out;
  };
  EXPECT_EQ(cut("abcdef", 6), "abcdef");
  EXPECT_EQ(cut("abcdef", 5), "abcd…");
  EXPECT_EQ(cut("abcdef", 1), "…");
  EXPECT_EQ(cut("abcdef", 0), "");
  EXPECT_EQ(cut("日本語", 6), "日本語");
  EXPECT_EQ(cut("日本語", 5), "日本…");
  EXPECT_EQ(cut("日本語", 4), "日…");
  EXPECT_EQ(cut("a\x1b"
                "b",
                4),
            "a…");
  EXPECT_EQ(cut("\xff", 4), "\\xff");
}

TEST(TextTest, Counts) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1240), "1,240");
  EXPECT_EQ(FormatCount(1'000'000), "1,000,000");
}

TEST(SummaryTest, PeerForms) {
  Span span = ClientSpan(1, ServerSpan(2, nullptr));
  EXPECT_EQ(Summarise(span).peer, "127.0.0.1:5001");
  Set(span, "server.address", "::1");
  EXPECT_EQ(Summarise(span).peer, "[::1]:5001");
  Set(span, "server.address", "/run/app.sock");
  Set(span, "server.port", int64_t{0});
  EXPECT_EQ(Summarise(span).peer, "/run/app.sock");
}

TEST(StyleTest, NoColourWithoutATerminal) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  EXPECT_FALSE(Style::Detect(fds[1]).color);
  EXPECT_EQ(Style::Detect(fds[1]).width, 120U);
  close(fds[0]);
  close(fds[1]);
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0) GTEST_SKIP() << "no pseudo terminals here";
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
  EXPECT_TRUE(Style::Detect(terminal).color);
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(Style::Detect(terminal).color);
  unsetenv("NO_COLOR");
  setenv("TERM", "dumb", 1);
  EXPECT_FALSE(Style::Detect(terminal).color);
  close(terminal);
}

}  // namespace
}  // namespace sonde::exporter
