// SPDX-License-Identifier: Apache-2.0
// The OTLP exporters against a real receiver: gRPC's own server with the generated service, and an
// HTTP server library.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "exporter/exporter_set.h"
#include "sonde/config/config.h"
#include "support/otlp_sink.h"
#include "unit/exporter/samples.h"

namespace sonde::exporter {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using Code = ExportOutcome::Code;
using sonde::support::OtlpSink;
using ::testing::HasSubstr;

std::string NameOf(OtlpProtocol protocol) {
  if (protocol == OtlpProtocol::kGrpc) return "Grpc";
  return protocol == OtlpProtocol::kHttpJson ? "HttpJson" : "HttpProtobuf";
}

std::vector<Span> Batch(size_t count) {
  const auto resource = MakeResource("shop");
  std::vector<Span> batch;
  for (size_t i = 0; i < count; ++i) batch.push_back(ServerSpan(i + 1, resource));
  return batch;
}

class OtlpExporterTest : public ::testing::TestWithParam<OtlpProtocol> {
 protected:
  void StartSink(int port = 0, const sonde::support::OtlpSinkOptions& options = {}) {
    sink_ = grpc() ? sonde::support::StartGrpcSink(port, options)
                   : sonde::support::StartHttpSink(port, options);
    ASSERT_NE(sink_, nullptr);
  }
  bool grpc() const { return GetParam() == OtlpProtocol::kGrpc; }
  OtlpOptions OptionsFor(int port, const std::string& scheme = "http") const {
    OtlpOptions options;
    options.protocol = GetParam();
    options.endpoint =
        scheme + "://127.0.0.1:" + std::to_string(port) + (grpc() ? "" : "/v1/traces");
    options.timeout = 5000ms;
    return options;
  }
  static std::unique_ptr<SpanExporter> Make(const OtlpOptions& options) {
    auto exporter = CreateExporter({.kind = ExporterKind::kOtlp, .target = "", .otlp = options});
    EXPECT_TRUE(exporter.ok()) << exporter.status();
    return exporter.ok() ? *std::move(exporter) : nullptr;
  }
  ExportOutcome Export(size_t spans = 3) {
    if (exporter_ == nullptr) exporter_ = Make(OptionsFor(sink_->port()));
    return exporter_->Export(Batch(spans), steady_clock::now() + 5s);
  }
  // The code that means `grpc_code` or `http_status` to this protocol.
  int CodeFor(int grpc_code, int http_status) const { return grpc() ? grpc_code : http_status; }

  std::unique_ptr<OtlpSink> sink_;
  std::unique_ptr<SpanExporter> exporter_;
};

TEST_P(OtlpExporterTest, DeliversSpansWithUserAgentAndHeaders) {
  StartSink();
  OtlpOptions options = OptionsFor(sink_->port());
  options.headers = {{"X-Api-Key", "secret value"}};
  exporter_ = Make(options);
  EXPECT_STREQ(exporter_->name(), "otlp");
  EXPECT_EQ(Export(3).code, Code::kDone);
  const auto requests = sink_->accepted();
  ASSERT_EQ(requests.size(), 1U);
  const auto& resource = requests[0].resource_spans(0);
  EXPECT_EQ(resource.resource().attributes(0).value().string_value(), "shop");
  ASSERT_EQ(resource.scope_spans(0).spans_size(), 3);
  EXPECT_EQ(resource.scope_spans(0).spans(0).name(), "GET /cart/{id}");
  const auto headers = sink_->last_headers();
  EXPECT_EQ(headers.at("x-api-key"), "secret value");
  EXPECT_THAT(headers.at("user-agent"),
              HasSubstr("sonde/" SONDE_VERSION " OTel-OTLP-Exporter-Cpp/"));
}

TEST_P(OtlpExporterTest, CompressesWithGzip) {
  StartSink();
  OtlpOptions options = OptionsFor(sink_->port());
  options.gzip = true;
  exporter_ = Make(options);
  EXPECT_EQ(Export(100).code, Code::kDone);
  EXPECT_EQ(sink_->accepted_spans(), 100U);
  if (!grpc()) {
    EXPECT_EQ(sink_->last_headers().at("content-encoding"), "gzip");
    EXPECT_LT(std::stoul(sink_->last_headers().at("content-length")), 20'000U);
  }
}

TEST_P(OtlpExporterTest, PartialSuccessIsCountedAndNotRetried) {
  StartSink();
  sink_->set_script(
      [](int) { return OtlpSink::Answer{.rejected_spans = 2, .message = "too \x1b[31mold"}; });
  const ExportOutcome outcome = Export(3);
  EXPECT_EQ(outcome.code, Code::kDone);
  EXPECT_EQ(outcome.rejected, 2U);
  EXPECT_EQ(outcome.message, "too \\x1b[31mold");
}

TEST_P(OtlpExporterTest, RetriesWhatTheSpecificationCallsRetryable) {
  StartSink();
  int code = 0;
  sink_->set_script([&](int) { return OtlpSink::Answer{.code = code, .message = "later"}; });
  const std::vector<int> retryable =
      grpc() ? std::vector<int>{1, 4, 10, 11, 14, 15} : std::vector<int>{429, 502, 503, 504};
  for (const int each : retryable) {
    code = each;
    EXPECT_EQ(Export().code, Code::kRetry) << each;
  }
  const std::vector<int> permanent =
      grpc() ? std::vector<int>{2, 3, 5, 6, 7, 8, 9, 12, 13, 16}
             : std::vector<int>{400, 401, 403, 404, 405, 413, 500, 501, 302, 307};
  for (const int each : permanent) {
    code = each;
    const ExportOutcome outcome = Export();
    EXPECT_EQ(outcome.code, Code::kFailed) << each;
    EXPECT_THAT(outcome.message, HasSubstr(std::to_string(each)));
    EXPECT_THAT(outcome.message, HasSubstr("later"));
  }
}

TEST_P(OtlpExporterTest, HonoursTheDelayThatTheReceiverAsksFor) {
  StartSink();
  sink_->set_script([&](int) {
    return OtlpSink::Answer{.code = CodeFor(8, 429), .retry_after_s = 7};  // RESOURCE_EXHAUSTED
  });
  const ExportOutcome outcome = Export();
  EXPECT_EQ(outcome.code, Code::kRetry);
  EXPECT_EQ(outcome.retry_after, 7000ms);
}

TEST_P(OtlpExporterTest, HostileDelayStaysInRange) {
  StartSink();
  sink_->set_script(
      [&](int) { return OtlpSink::Answer{.code = CodeFor(14, 503), .retry_after_s = INT32_MAX}; });
  EXPECT_EQ(Export().retry_after, 24h);
}

TEST_P(OtlpExporterTest, HangEndsAtTheDeadlineAndTheNextExportWorks) {
  StartSink();
  sink_->set_script(
      [](int request) { return OtlpSink::Answer{.delay_ms = request == 1 ? 800 : 0}; });
  exporter_ = Make(OptionsFor(sink_->port()));
  const auto start = steady_clock::now();
  EXPECT_EQ(exporter_->Export(Batch(1), start + 300ms).code, Code::kRetry);
  EXPECT_LT(steady_clock::now() - start, 700ms);
  EXPECT_EQ(Export().code, Code::kDone);
}

TEST_P(OtlpExporterTest, OwnTimeoutIsShorterThanTheDeadline) {
  StartSink();
  sink_->set_script([](int) { return OtlpSink::Answer{.delay_ms = 800}; });
  OtlpOptions options = OptionsFor(sink_->port());
  options.timeout = 200ms;
  exporter_ = Make(options);
  const auto start = steady_clock::now();
  EXPECT_EQ(Export().code, Code::kRetry);
  EXPECT_LT(steady_clock::now() - start, 700ms);
}

TEST_P(OtlpExporterTest, CancelEndsARunningExport) {
  StartSink();
  sink_->set_script([](int) { return OtlpSink::Answer{.delay_ms = 1500}; });
  exporter_ = Make(OptionsFor(sink_->port()));
  std::thread cancel([&] {
    std::this_thread::sleep_for(200ms);
    exporter_->Cancel();
  });
  const auto start = steady_clock::now();
  EXPECT_EQ(Export().code, Code::kRetry);
  EXPECT_LT(steady_clock::now() - start, 1s);
  cancel.join();
}

TEST_P(OtlpExporterTest, NobodyListensThenTheEndpointComesBackAndNothingIsLost) {
  StartSink();
  const int port = sink_->port();
  sink_.reset();
  MetricRegistry metrics;
  std::vector<std::unique_ptr<SpanExporter>> exporters;
  exporters.push_back(Make(OptionsFor(port)));
  const BatchOptions options{.max_queue_size = 1000, .max_export_batch_size = 50};
  ExporterSet set(Labelled(std::move(exporters)), options, metrics,
                  {.initial = 50ms, .max = 200ms, .max_elapsed = 60s});
  for (const Span& span : Batch(500)) set.OnSpan(Span(span));
  EXPECT_FALSE(set.ForceFlush(steady_clock::now() + 500ms));
  StartSink(port);
  EXPECT_TRUE(set.ForceFlush(steady_clock::now() + 20s));
  EXPECT_EQ(sink_->accepted_spans(), 500U);
  EXPECT_EQ(set.Shutdown(steady_clock::now() + 1s), 0U);
}

// A certificate authority, and certificates of it for the server and the client, made by the
// openssl command.
class Certificates {
 public:
  Certificates() {
    char path[] = "/tmp/sonde-tls-XXXXXX";
    directory_ = mkdtemp(path);
    Run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca "
        "-keyout ca.key -out ca.pem");
    for (const char* name : {"server", "client"}) {
      const std::string n = name;
      Run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + n +
          " -keyout " + n + ".key -out " + n + ".csr");
      Run("printf 'subjectAltName=IP:127.0.0.1' > " + n + ".ext && openssl x509 -req -days 2 -in " +
          n + ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile " + n + ".ext -out " + n +
          ".pem");
    }
  }
  ~Certificates() { std::filesystem::remove_all(directory_); }
  std::string File(const std::string& name) const { return directory_ + "/" + name; }

 private:
  void Run(const std::string& command) const {
    EXPECT_EQ(std::system(("cd " + directory_ + " && (" + command + ") >/dev/null 2>&1").c_str()),
              0)
        << command;
  }
  std::string directory_;
};

TEST_P(OtlpExporterTest, TlsWithOurOwnAuthorityAndClientCertificate) {
  const Certificates certificates;
  StartSink(0, {.certificate = certificates.File("server.pem"),
                .key = certificates.File("server.key"),
                .client_ca = certificates.File("ca.pem")});
  OtlpOptions options = OptionsFor(sink_->port(), "https");
  options.certificate = certificates.File("ca.pem");
  options.client_certificate = certificates.File("client.pem");
  options.client_key = certificates.File("client.key");
  exporter_ = Make(options);
  EXPECT_EQ(Export().code, Code::kDone);

  options.client_certificate.clear();
  options.client_key.clear();
  EXPECT_NE(Make(options)->Export(Batch(1), steady_clock::now() + 3s).code, Code::kDone);

  options.certificate.clear();  // the system's authorities do not know ours
  EXPECT_NE(Make(options)->Export(Batch(1), steady_clock::now() + 3s).code, Code::kDone);
  EXPECT_EQ(sink_->accepted_spans(), 3U);
}

TEST_P(OtlpExporterTest, RefusesHeadersThatWouldBreakTheProtocol) {
  OtlpOptions options = OptionsFor(4317);
  options.headers = {{"x", "a\r\nInjected: yes"}};
  EXPECT_FALSE(CreateExporter({.kind = ExporterKind::kOtlp, .target = "", .otlp = options}).ok());
  options.headers.clear();
  options.endpoint.clear();
  EXPECT_FALSE(CreateExporter({.kind = ExporterKind::kOtlp, .target = "", .otlp = options}).ok());
}

INSTANTIATE_TEST_SUITE_P(Protocols, OtlpExporterTest,
                         ::testing::Values(OtlpProtocol::kGrpc, OtlpProtocol::kHttpProtobuf,
                                           OtlpProtocol::kHttpJson),
                         [](const auto& instance) { return NameOf(instance.param); });

}  // namespace
}  // namespace sonde::exporter
