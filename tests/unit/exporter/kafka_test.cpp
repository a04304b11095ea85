// SPDX-License-Identifier: Apache-2.0
// The Kafka exporter against librdkafka's own cluster of brokers in this process, which speaks the
// protocol on loopback and fails as it is told to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "exporter/back_off.h"
#include "exporter/exporter_set.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"
#include "unit/exporter/samples.h"

namespace sonde::exporter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Code = ExportOutcome::Code;
using Request = opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;

constexpr char kTopic[] = "otlp_spans";
constexpr int16_t kProduce = 0;  // of Kafka's protocol

// One broker, and a consumer of what it has.
class Broker {
 public:
  Broker() {
    char error[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", error, sizeof(error));
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    cluster_ = rd_kafka_mock_cluster_new(handle_, 1);
    rd_kafka_mock_topic_create(cluster_, kTopic, 1, 1);
  }
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  ~Broker() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(handle_);
  }

  std::string address() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  void Stop() { rd_kafka_mock_broker_set_down(cluster_, 1); }
  void Start() { rd_kafka_mock_broker_set_up(cluster_, 1); }
  void AnswerNext(rd_kafka_resp_err_t error) {
    rd_kafka_mock_push_request_errors(cluster_, kProduce, 1, error);
  }
  void Delay(milliseconds time) {
    rd_kafka_mock_broker_set_rtt(cluster_, 1, static_cast<int>(time.count()));
  }

  // The messages of the topic, as they came.
  std::vector<Request> Messages(size_t wanted) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char error[512];
    rd_kafka_conf_set(conf, "bootstrap.servers", address().c_str(), error, sizeof(error));
    rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    rd_kafka_topic_t* topic = rd_kafka_topic_new(consumer, kTopic, nullptr);
    rd_kafka_consume_start(topic, 0, RD_KAFKA_OFFSET_BEGINNING);
    std::vector<Request> requests;
    const auto until = steady_clock::now() + seconds(10);
    while (requests.size() < wanted && steady_clock::now() < until) {
      rd_kafka_message_t* message = rd_kafka_consume(topic, 0, 100);
      if (message == nullptr) continue;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        EXPECT_EQ(message->key_len, 0U);
        const std::string bytes(static_cast<const char*>(message->payload), message->len);
        EXPECT_TRUE(requests.emplace_back().ParseFromString(bytes));
      }
      rd_kafka_message_destroy(message);
    }
    rd_kafka_consume_stop(topic, 0);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(consumer);
    return requests;
  }

 private:
  rd_kafka_t* handle_;
  rd_kafka_mock_cluster_t* cluster_;
};

using Properties = std::vector<std::pair<std::string, std::string>>;

ExporterOptions To(const std::string& brokers, Properties properties = {}) {
  ExporterOptions options;
  options.kind = ExporterKind::kKafka;
  options.kafka.brokers = {brokers};
  options.kafka.properties = std::move(properties);
  return options;
}

std::unique_ptr<SpanExporter> Make(const std::string& brokers, Properties properties = {}) {
  auto exporter = CreateExporter(To(brokers, std::move(properties)));
  EXPECT_TRUE(exporter.ok()) << exporter.status();
  return exporter.ok() ? *std::move(exporter) : nullptr;
}

std::string Refusal(Properties properties) {
  const auto exporter = CreateExporter(To("localhost:1", std::move(properties)));
  return exporter.ok() ? "" : std::string(exporter.status().message());
}

ExportOutcome Export(SpanExporter& exporter, const std::vector<Span>& batch,
                     milliseconds time = seconds(10)) {
  return exporter.Export(batch, steady_clock::now() + time);
}

std::vector<Span> Spans(size_t count, size_t bytes = 0) {
  const auto resource = MakeResource("cart");
  std::vector<Span> spans;
  for (size_t i = 0; i < count; ++i) {
    Span& span = spans.emplace_back(ServerSpan(i + 1, resource));
    if (bytes > 0) span.attributes.push_back({"filler", std::string(bytes, 'x')});
  }
  return spans;
}

std::multiset<std::string> IdsOf(const std::vector<Request>& requests) {
  std::multiset<std::string> ids;
  for (const Request& request : requests) {
    for (const auto& resource : request.resource_spans()) {
      for (const auto& scope : resource.scope_spans()) {
        for (const auto& span : scope.spans()) ids.insert(span.span_id());
      }
    }
  }
  return ids;
}

std::multiset<std::string> IdsOf(const std::vector<Span>& spans) {
  std::multiset<std::string> ids;
  for (const Span& span : spans) {
    ids.emplace(reinterpret_cast<const char*>(span.span_id.bytes.data()),
                span.span_id.bytes.size());
  }
  return ids;
}

TEST(Kafka, EachBatchIsAMessage) {
  Broker broker;
  const auto exporter = Make(broker.address());
  ASSERT_NE(exporter, nullptr);
  EXPECT_STREQ(exporter->name(), "kafka");
  const auto spans = Spans(5);
  EXPECT_EQ(Export(*exporter, spans).code, Code::kDone);
  EXPECT_EQ(Export(*exporter, Spans(1)).code, Code::kDone);
  const auto messages = broker.Messages(2);
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_EQ(IdsOf({messages[0]}), IdsOf(spans));
  EXPECT_EQ(messages[0].resource_spans(0).scope_spans(0).spans(0).name(), spans[0].name);
}

TEST(Kafka, WhatTheBrokerMayTakeLaterIsRetried) {
  Broker broker;
  const auto exporter = Make(broker.address(), {{"retries", "0"}});
  for (const auto error :
       {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR}) {
    broker.AnswerNext(error);
    const ExportOutcome outcome = Export(*exporter, Spans(1));
    EXPECT_EQ(outcome.code, Code::kRetry) << rd_kafka_err2name(error);
    EXPECT_THAT(outcome.message, HasSubstr(rd_kafka_err2str(error)));
  }
  EXPECT_EQ(Export(*exporter, Spans(1)).code, Code::kDone);
}

TEST(Kafka, WhatItWillNeverTakeIsNot) {
  Broker broker;
  const auto exporter = Make(broker.address());
  broker.AnswerNext(RD_KAFKA_RESP_ERR_INVALID_RECORD);
  EXPECT_EQ(Export(*exporter, Spans(3)).code, Code::kFailed);
  EXPECT_EQ(Export(*exporter, Spans(1)).code, Code::kDone);
  broker.AnswerNext(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  const ExportOutcome outcome = Export(*exporter, Spans(3));
  EXPECT_EQ(outcome.code, Code::kFailed);
  EXPECT_THAT(outcome.message, AllOf(HasSubstr(kTopic), HasSubstr("the right to write")));
}

TEST(Kafka, ABatchThatIsTooLargeIsSplit) {
  Broker broker;
  const auto exporter = Make(broker.address(), {{"message.max.bytes", "20000"}});
  const auto spans = Spans(16, 5000);
  const ExportOutcome outcome = Export(*exporter, spans);
  EXPECT_EQ(outcome.code, Code::kDone) << outcome.message;
  EXPECT_EQ(outcome.rejected, 0U);
  const auto messages = broker.Messages(8);
  EXPECT_THAT(messages, SizeIs(8));
  EXPECT_EQ(IdsOf(messages), IdsOf(spans));
}

TEST(Kafka, ABatchThatTheBrokerFindsTooLargeIsSplitToo) {
  Broker broker;
  const auto exporter = Make(broker.address());
  broker.AnswerNext(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  const auto spans = Spans(5);
  EXPECT_EQ(Export(*exporter, spans).code, Code::kDone);
  const auto messages = broker.Messages(2);
  EXPECT_THAT(messages, SizeIs(2));
  EXPECT_EQ(IdsOf(messages), IdsOf(spans));
}

TEST(Kafka, ASpanThatIsTooLargeIsDroppedAlone) {
  Broker broker;
  const auto exporter = Make(broker.address(), {{"message.max.bytes", "20000"}});
  auto spans = Spans(3);
  spans[1].attributes.push_back({"filler", std::string(30'000, 'x')});
  const ExportOutcome outcome = Export(*exporter, spans);
  EXPECT_EQ(outcome.code, Code::kDone);
  EXPECT_EQ(outcome.rejected, 1U);
  EXPECT_THAT(outcome.message, HasSubstr("max.message.bytes"));
  spans.erase(spans.begin() + 1);
  EXPECT_EQ(IdsOf(broker.Messages(2)), IdsOf(spans));
  EXPECT_EQ(Export(*exporter, Spans(1, 30'000)).code, Code::kFailed);
}

TEST(Kafka, WithoutABrokerItSaysSoAndDeliversWhenThereIsOne) {
  Broker broker;
  const auto exporter = Make(broker.address());
  broker.Stop();
  const auto begin = steady_clock::now();
  const ExportOutcome outcome = Export(*exporter, Spans(2));
  EXPECT_EQ(outcome.code, Code::kRetry);
  EXPECT_THAT(outcome.message, HasSubstr("127.0.0.1"));  // who did not answer
  EXPECT_LT(steady_clock::now() - begin, seconds(5));    // not by the deadline
  broker.Start();
  EXPECT_EQ(Export(*exporter, Spans(3)).code, Code::kDone);
  // What was taken back does not come.
  EXPECT_EQ(IdsOf(broker.Messages(1)), IdsOf(Spans(3)));
}

TEST(Kafka, AnAnswerThatComesTooLateIsNotTakenForTheNext) {
  Broker broker;
  const auto exporter = Make(broker.address());
  ASSERT_EQ(Export(*exporter, Spans(1)).code, Code::kDone);
  broker.Delay(milliseconds(700));
  EXPECT_EQ(Export(*exporter, Spans(2), milliseconds(100)).code, Code::kRetry);
  // As every retry does: librdkafka's threads may still be taking messages back.
  std::this_thread::sleep_for(RetryOptions().initial / 2);
  broker.AnswerNext(RD_KAFKA_RESP_ERR_INVALID_RECORD);
  EXPECT_EQ(Export(*exporter, Spans(3), seconds(10)).code, Code::kFailed);
}

TEST(Kafka, ReturnsByItsDeadlineAndSoonAfterACancel) {
  Broker broker;
  broker.Delay(seconds(5));
  const auto exporter = Make(broker.address());
  auto begin = steady_clock::now();
  EXPECT_EQ(Export(*exporter, Spans(1), milliseconds(300)).code, Code::kRetry);
  EXPECT_LT(steady_clock::now() - begin, seconds(2));
  begin = steady_clock::now();
  std::thread cancel([&] {
    std::this_thread::sleep_for(milliseconds(300));
    exporter->Cancel();
  });
  EXPECT_EQ(Export(*exporter, Spans(1), seconds(30)).code, Code::kRetry);
  cancel.join();
  EXPECT_EQ(Export(*exporter, Spans(1), seconds(30)).code, Code::kRetry);
  EXPECT_LT(steady_clock::now() - begin, seconds(3));
}

TEST(Kafka, RefusesPropertiesThatAreNotTheUsersOrNobodys) {
  EXPECT_THAT(Refusal({{"compression.type", "zstd"}, {"linger.ms", "5"}}), IsEmpty());
  EXPECT_THAT(Refusal({{"acks", "1"}}), HasSubstr("acks cannot be set"));
  EXPECT_THAT(Refusal({{"bootstrap.servers", "a"}}), HasSubstr("see brokers"));
  EXPECT_THAT(Refusal({{"no.such", "a"}}), HasSubstr("no.such"));
  EXPECT_EQ(Refusal({{"security.protocol", "secret"}}),
            "kafka: properties: librdkafka refuses the value of security.protocol");
  EXPECT_THAT(Refusal({{"security.protocol", "ssl"}, {"ssl.ca.location", "/nowhere"}}),
              HasSubstr("ssl.ca.location"));
}

// Through the queue: a broker that goes and comes back costs no span, and the sum fits.
TEST(Kafka, EverySpanIsAccountedForThroughAnOutage) {
  Broker broker;
  MetricRegistry metrics;
  std::vector<std::unique_ptr<SpanExporter>> exporters;
  exporters.push_back(Make(broker.address()));
  ExporterSet set(Labelled(std::move(exporters)),
                  {.max_export_batch_size = 10, .export_timeout = milliseconds(300)}, metrics,
                  RetryOptions{.initial = milliseconds(50), .max = milliseconds(200)});
  const auto count = [&](const std::string& name, const char* label, const char* value) {
    return metrics.AddCounter(name, "", {{"exporter", "kafka"}, {label, value}}).value();
  };
  const auto all = Spans(100);
  for (size_t i = 0; i < all.size(); ++i) {
    if (i == 30) {
      EXPECT_TRUE(set.ForceFlush(steady_clock::now() + seconds(10)));
      broker.Stop();
    }
    set.OnSpan(Span(all[i]));
  }
  EXPECT_FALSE(set.ForceFlush(steady_clock::now() + seconds(1)));
  EXPECT_GT(count("sonde_export_batches_total", "result", "retry"), 0U);
  broker.Start();
  EXPECT_TRUE(set.ForceFlush(steady_clock::now() + seconds(20)));
  EXPECT_EQ(count("sonde_export_spans_total", "result", "exported"), 100U);
  EXPECT_EQ(set.Shutdown(steady_clock::now() + seconds(5)), 0U);
  EXPECT_EQ(IdsOf(broker.Messages(10)), IdsOf(all));
}

TEST(Kafka, AShutdownDoesNotWaitForABrokerThatIsAway) {
  MetricRegistry metrics;
  std::vector<std::unique_ptr<SpanExporter>> exporters;
  exporters.push_back(Make("127.0.0.1:1"));
  auto set = std::make_unique<ExporterSet>(Labelled(std::move(exporters)), BatchOptions{}, metrics);
  set->OnSpan(std::move(Spans(1)[0]));
  const auto begin = steady_clock::now();
  EXPECT_EQ(set->Shutdown(begin + seconds(2)), 1U);
  set.reset();
  EXPECT_LT(steady_clock::now() - begin, seconds(5));
}

}  // namespace
}  // namespace sonde::exporter
