// SPDX-License-Identifier: Apache-2.0
// Endpoints that lie: raw sockets that answer with what no HTTP library would send.
#include "exporter/http_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "exporter/exporter_set.h"
#include "exporter/otlp/span_exporter.h"
#include "exporter/zipkin/zipkin_exporter.h"
#include "unit/exporter/samples.h"

namespace sonde::exporter {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using Code = ExportOutcome::Code;
using ::testing::HasSubstr;

// Accepts connections one by one, reads a request, sends `answer`, and closes the connection, with
// a reset if told.
class RawServer {
 public:
  explicit RawServer(std::string answer, bool reset = false)
      : answer_(std::move(answer)), reset_(reset) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    socklen_t length = sizeof(address);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~RawServer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  std::string Url(const std::string& path = "/v1/traces") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  int requests() const { return requests_; }
  // Of the last request; only when no request is running.
  std::string request() const { return request_; }

 private:
  void Serve() {
    for (int client = 0; (client = accept(fd_, nullptr, nullptr)) >= 0;) {
      ++requests_;
      ReadRequest(client);
      for (size_t sent = 0; sent < answer_.size();) {
        const ssize_t n = send(client, answer_.data() + sent, answer_.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<size_t>(n);
      }
      const linger hard{1, 0};
      if (reset_) setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
      close(client);
    }
  }
  void ReadRequest(int client) {
    request_.clear();
    char buffer[4096];
    while (true) {
      const size_t head = request_.find("\r\n\r\n");
      if (head != std::string::npos) {
        const size_t field = request_.find("Content-Length: ");
        const size_t body = std::stoul(request_.substr(field + 16));
        if (request_.size() >= head + 4 + body) return;
      }
      const ssize_t n = read(client, buffer, sizeof(buffer));
      if (n <= 0) return;
      request_.append(buffer, static_cast<size_t>(n));
    }
  }

  const std::string answer_;
  const bool reset_;
  int fd_ = -1;
  int port_ = 0;
  std::atomic<int> requests_{0};
  std::string request_;
  std::thread thread_;
};

ExportOutcome ExportTo(const RawServer& server, std::chrono::milliseconds timeout = 3s) {
  OtlpOptions options;
  options.protocol = OtlpProtocol::kHttpProtobuf;
  options.endpoint = server.Url();
  auto exporter = OtlpSpanExporter::Create(options);
  EXPECT_TRUE(exporter.ok());
  const std::vector<Span> batch{ServerSpan(1, MakeResource("shop"))};
  return (*exporter)->Export(batch, steady_clock::now() + timeout);
}

std::string Answer(const std::string& head, const std::string& body) {
  return "HTTP/1.1 " + head + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

TEST(LyingEndpointTest, GarbageInsteadOfHttpIsRetried) {
  const RawServer server("\x16\x03\x01 this is no HTTP\r\n\r\n");
  EXPECT_EQ(ExportTo(server).code, Code::kRetry);
}

TEST(LyingEndpointTest, GarbageInASuccessIsASuccess) {
  const RawServer server(Answer("200 OK", "\xff\xff\xff\xff"));
  EXPECT_EQ(ExportTo(server).code, Code::kDone);
  const RawServer json(Answer("200 OK\r\nContent-Type: application/json", "{{{"));
  EXPECT_EQ(ExportTo(json).code, Code::kDone);
}

TEST(LyingEndpointTest, ConnectionThatEndsBeforeOrWithinTheAnswerIsRetried) {
  EXPECT_EQ(ExportTo(RawServer("")).code, Code::kRetry);
  EXPECT_EQ(ExportTo(RawServer("", true)).code, Code::kRetry);
  EXPECT_EQ(ExportTo(RawServer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true)).code,
            Code::kRetry);
}

TEST(LyingEndpointTest, RedirectIsNotFollowed) {
  const RawServer other(Answer("200 OK", ""));
  const RawServer server(Answer("307 Temporary Redirect\r\nLocation: " + other.Url(), ""));
  const ExportOutcome outcome = ExportTo(server);
  EXPECT_EQ(outcome.code, Code::kFailed);
  EXPECT_THAT(outcome.message, HasSubstr("307"));
  EXPECT_EQ(other.requests(), 0);
}

TEST(LyingEndpointTest, EndlessAnswerCostsABoundedAmountOfMemory) {
  const RawServer server(Answer("400 Bad Request", std::string(20U << 20, 'x')));
  HttpClientOptions options;
  options.url = server.Url();
  options.content_type = "text/plain";
  auto client = HttpClient::Create(std::move(options));
  ASSERT_TRUE(client.ok());
  const HttpResponse response = (*client)->Post("x", 5s);
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body.size(), HttpClient::kMaxBody);
}

TEST(LyingEndpointTest, WordsOfTheReceiverAreMadeSafeForTheLog) {
  const ExportOutcome outcome =
      ExportTo(RawServer(Answer("400 Bad Request", "no \x1b[2J" + std::string(5000, 'x'))));
  EXPECT_EQ(outcome.code, Code::kFailed);
  EXPECT_THAT(outcome.message, HasSubstr("HTTP status 400: no \\x1b[2J"));
  EXPECT_LT(outcome.message.size(), 400U);
}

TEST(LyingEndpointTest, RetryAfterAsADateOrNonsense) {
  EXPECT_EQ(ExportTo(RawServer(Answer("503 No\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT", "")))
                .retry_after,
            0ms);
  EXPECT_EQ(ExportTo(RawServer(Answer("503 No\r\nRetry-After: soon", ""))).retry_after, 0ms);
  EXPECT_EQ(ExportTo(RawServer(Answer("503 No\r\nRetry-After: 3", ""))).retry_after, 3000ms);
}

Result<std::unique_ptr<SpanExporter>> MakeZipkin(const std::string& url) {
  ExporterOptions options;
  options.kind = ExporterKind::kZipkin;
  options.target = url;
  return CreateExporter(options);
}

TEST(ZipkinTest, SendsTheV2Format) {
  RawServer server("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
  auto exporter = MakeZipkin(server.Url(""));
  ASSERT_TRUE(exporter.ok()) << exporter.status();
  EXPECT_STREQ((*exporter)->name(), "zipkin");
  Span span = HardSpan(1, MakeResource("shop"));
  const std::vector<Span> batch{span, ClientSpan(2, span)};
  EXPECT_EQ((*exporter)->Export(batch, steady_clock::now() + 3s).code, Code::kDone);
  EXPECT_THAT(server.request(), HasSubstr("POST /api/v2/spans HTTP/1.1\r\n"));
  const auto json =
      nlohmann::json::parse(server.request().substr(server.request().find("\r\n\r\n") + 4));
  ASSERT_EQ(json.size(), 2U);
  EXPECT_EQ(json[0]["traceId"], span.trace_id.ToHex());
  EXPECT_EQ(json[0]["parentId"], span.parent_span_id.ToHex());
  EXPECT_EQ(json[0]["kind"], "SERVER");
  EXPECT_EQ(json[0]["timestamp"], kNoon / 1000);
  EXPECT_EQ(json[0]["duration"], 42'100);
  EXPECT_EQ(json[0]["localEndpoint"]["serviceName"], "shop");
  EXPECT_EQ(json[0]["remoteEndpoint"]["ipv4"], "127.0.0.1");
  EXPECT_EQ(json[0]["tags"]["http.response.status_code"], "200");
  EXPECT_EQ(json[0]["tags"]["list"], R"(["a","","b\"c"])");
  EXPECT_EQ(json[0]["tags"]["otel.status_code"], "ERROR");
  EXPECT_EQ(json[1]["kind"], "CLIENT");
}

TEST(ZipkinTest, RefusesOtherUrls) {
  EXPECT_FALSE(MakeZipkin("file:///etc/passwd").ok());
  EXPECT_FALSE(MakeZipkin("").ok());
}

}  // namespace
}  // namespace sonde::exporter
