// SPDX-License-Identifier: Apache-2.0
#include "exporter/kafka/kafka_producer.h"

#include <absl/memory/memory.h>
#include <absl/status/status.h>
#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::exporter {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How soon a Cancel() is seen.
constexpr milliseconds kSlice{50};
// For brokers that are away: some attempts to connect, see reconnect.backoff.max.ms.
constexpr milliseconds kReconnect{3000};
// How long a message that is taken back may take to say so.
constexpr milliseconds kPurge{200};
constexpr std::chrono::seconds kDestroy{1};
constexpr milliseconds kAsk{1000};

using Property = std::pair<std::string_view, std::string_view>;

// The user's come after these.
constexpr std::array<Property, 5> kDefaults{{
    {"client.id", "sonde"},
    {"queue.buffering.max.ms", "0"},       // a batch is a batch already
    {"reconnect.backoff.max.ms", "1000"},  // a broker that is back is used soon
    {"socket.timeout.ms", "10000"},        // a connection that answers nothing is replaced
    // So soon a topic that is not there is an error; one that is being made is there after a retry.
    {"topic.metadata.propagation.max.ms", "3000"},
}};

// These are not his. No timeout of a message: Send() has a deadline, and takes it back.
constexpr std::array<Property, 4> kFixed{{
    {"acks", "all"},
    {"message.timeout.ms", "0"},
    {"delivery.report.only.error", "false"},
    {"log.queue", "true"},
}};

constexpr std::array<Property, 11> kRefused{{
    {"bootstrap.servers", "see brokers"},
    {"metadata.broker.list", "see brokers"},
    {"acks", "all replicas in sync must have a batch before it counts as delivered"},
    {"request.required.acks", "all replicas in sync must have a batch before it counts"},
    {"message.timeout.ms", "see batch.export_timeout"},
    {"delivery.timeout.ms", "see batch.export_timeout"},
    {"delivery.report.only.error", "sonde needs every report"},
    {"log.queue", "sonde reads the log itself"},
    {"enable.idempotence", "delivery is at least once"},
    {"enable.gapless.guarantee", "delivery is at least once"},
    {"transactional.id", "delivery is at least once"},
}};

struct ConfDelete {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, ConfDelete>;
using ErrorText = std::array<char, 512>;

Status Bad(const std::string& text) { return absl::InvalidArgumentError("kafka: " + text); }

Status Set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  ErrorText error{};
  const auto result =
      rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size());
  if (result == RD_KAFKA_CONF_OK) return absl::OkStatus();
  // Not the text for a wrong value: it may repeat a secret.
  if (result == RD_KAFKA_CONF_UNKNOWN) return Bad("properties: " + std::string(error.data()));
  return Bad("properties: librdkafka refuses the value of " + name);
}

Status SetAll(rd_kafka_conf_t* conf, const KafkaOptions& options) {
  for (const auto& [name, value] : kDefaults) {
    if (Status status = Set(conf, std::string(name), std::string(value)); !status.ok())
      return status;
  }
  for (const auto& [name, value] : options.properties) {
    const auto* refused = std::ranges::find(kRefused, name, &Property::first);
    if (refused != kRefused.end()) {
      return Bad("properties: " + name + " cannot be set: " + std::string(refused->second));
    }
    if (Status status = Set(conf, name, value); !status.ok()) return status;
  }
  for (const auto& [name, value] : kFixed) {
    if (Status status = Set(conf, std::string(name), std::string(value)); !status.ok())
      return status;
  }
  std::string brokers;
  for (const std::string& broker : options.brokers) {
    brokers += (brokers.empty() ? "" : ",") + broker;
  }
  return Set(conf, "bootstrap.servers", brokers);
}

void OnLog(const rd_kafka_t*, int, const char* facility, const char* text) {
  spdlog::debug("librdkafka: {}: {}", facility, text);
}

milliseconds Until(steady_clock::time_point time) {
  return std::chrono::duration_cast<milliseconds>(time - steady_clock::now());
}

}  // namespace

Result<std::unique_ptr<KafkaProducer>> KafkaProducer::Create(const KafkaOptions& options) {
  Conf conf(rd_kafka_conf_new());
  if (Status status = SetAll(conf.get(), options); !status.ok()) return status;
  auto producer = absl::WrapUnique(new KafkaProducer());
  rd_kafka_conf_set_opaque(conf.get(), producer.get());
  rd_kafka_conf_set_dr_msg_cb(conf.get(), OnDelivery);
  rd_kafka_conf_set_error_cb(conf.get(), OnError);
  rd_kafka_conf_set_log_cb(conf.get(), OnLog);
  ErrorText error{};
  producer->handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), error.data(), error.size());
  if (producer->handle_ == nullptr) return Bad(error.data());
  static_cast<void>(conf.release());  // now the handle's
  rd_kafka_set_log_queue(producer->handle_, nullptr);
  producer->topic_ = rd_kafka_topic_new(producer->handle_, options.topic.c_str(), nullptr);
  if (producer->topic_ == nullptr) {
    return Bad("topic " + options.topic + ": " + rd_kafka_err2str(rd_kafka_last_error()));
  }
  return producer;
}

// librdkafka waits for its threads, and one of them may wait for a name server: the process is not
// to wait for that.
KafkaProducer::~KafkaProducer() {
  if (topic_ != nullptr) rd_kafka_topic_destroy(topic_);
  if (handle_ == nullptr) return;
  rd_kafka_purge(
      handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  std::promise<void> done;
  const std::future<void> over = done.get_future();
  std::thread destroy([handle = handle_, done = std::move(done)]() mutable {
    rd_kafka_destroy(handle);
    done.set_value();
  });
  if (over.wait_for(kDestroy) == std::future_status::ready) {
    destroy.join();
  } else {
    destroy.detach();
  }
}

void* KafkaProducer::Token() const {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): a number, which librdkafka only gives back.
  return reinterpret_cast<void*>(sent_);
}

void KafkaProducer::OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
  auto* producer = static_cast<KafkaProducer*>(self);
  // One that was given up before has nobody who waits for it.
  if (message->_private == producer->Token()) producer->report_ = message->err;
}

void KafkaProducer::OnError(rd_kafka_t*, int error, const char* reason, void* self) {
  auto* producer = static_cast<KafkaProducer*>(self);
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    producer->all_down_ = true;  // what comes before it says why
  } else {
    producer->reason_ = reason;
  }
}

void KafkaProducer::Serve() { rd_kafka_poll(handle_, 0); }

void KafkaProducer::WaitForReport(TimePoint until, const std::function<bool()>& give_up) {
  while (!report_ && !give_up()) {
    const milliseconds left = Until(until);
    if (left <= milliseconds(0)) return;
    rd_kafka_poll(handle_, static_cast<int>(std::min(left, kSlice).count()));
  }
}

KafkaProducer::Report KafkaProducer::Send(std::string_view message, TimePoint deadline) {
  Serve();
  const bool were_down = all_down_;
  if (were_down) deadline = std::min(deadline, steady_clock::now() + kReconnect);
  report_.reset();
  ++sent_;
  // The payload is copied: a message that does not come back in time must not hold the caller's.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): of C, which does not write to it.
  const int queued =
      rd_kafka_produce(topic_, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                       const_cast<char*>(message.data()), message.size(), nullptr, 0, Token());
  if (queued != 0) report_ = rd_kafka_last_error();
  WaitForReport(deadline, [&] { return cancelled_ || all_down_ != were_down; });
  if (!report_) {
    rd_kafka_purge(handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                RD_KAFKA_PURGE_F_NON_BLOCKING);
    WaitForReport(steady_clock::now() + kPurge, [] { return false; });
  }
  return TakeReport();
}

// librdkafka remembers for minutes that a topic is not there or not ours: look again before the
// next attempt.
void KafkaProducer::AskForTopic() {
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto error =
      rd_kafka_metadata(handle_, 0, topic_, &metadata, static_cast<int>(kAsk.count()));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_metadata_destroy(metadata);
}

KafkaProducer::Report KafkaProducer::TakeReport() {
  Report report{.error = report_.value_or(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT), .message = {}};
  switch (report.error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      reason_.clear();
      all_down_ = false;
      break;
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
      report.message = reason_.empty() ? "no broker took the batch in time" : reason_;
      break;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      AskForTopic();
      [[fallthrough]];
    default:
      report.message = rd_kafka_err2str(report.error);
  }
  return report;
}

}  // namespace sonde::exporter
