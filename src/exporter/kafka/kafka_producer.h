// SPDX-License-Identifier: Apache-2.0
// One topic of a Kafka cluster, by librdkafka: sends one message at a time and waits for the
// delivery report, which says that every replica in sync has it.
#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::exporter {

// One thread, except Cancel(). librdkafka's own threads call nothing here: its reports, errors and
// log lines wait until Send() or Serve() takes them.
class KafkaProducer {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Report {
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    std::string message;  // in words, with the last reason that librdkafka gave; empty if delivered
  };

  // Connects later. Refuses properties that librdkafka does not take, or that are not the user's to
  // set (kInvalidArgument).
  static Result<std::unique_ptr<KafkaProducer>> Create(const KafkaOptions& options);
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;
  // Takes a second at most.
  ~KafkaProducer();

  // Without a report by `deadline` the message is taken back (_PURGE_QUEUE, _PURGE_INFLIGHT: then
  // the broker may have it). So it is when all brokers are away: at once when the last one goes,
  // later after having tried for a moment.
  Report Send(std::string_view message, TimePoint deadline);
  // Takes what has been reported meanwhile.
  void Serve();
  // Any thread: a running Send returns soon, and so does every later one.
  void Cancel() { cancelled_ = true; }

 private:
  KafkaProducer() = default;
  static void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* self);
  static void OnError(rd_kafka_t*, int error, const char* reason, void* self);
  void* Token() const;
  void WaitForReport(TimePoint until, const std::function<bool()>& give_up);
  Report TakeReport();
  void AskForTopic();

  rd_kafka_t* handle_ = nullptr;
  rd_kafka_topic_t* topic_ = nullptr;
  uintptr_t sent_ = 0;  // messages, ever: the last one's number comes back with its report
  std::optional<rd_kafka_resp_err_t> report_;  // of the last message
  std::string reason_;                         // of the last error since a delivery
  bool all_down_ = false;                      // said since a delivery
  std::atomic<bool> cancelled_{false};
};

}  // namespace sonde::exporter
