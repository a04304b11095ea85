// SPDX-License-Identifier: Apache-2.0
// An OTLP endpoint of one signal: sends encoded requests and judges the answers. What is in them is
// the business of the exporters above it.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "exporter/otlp/signal.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

// One thread, except Cancel().
class OtlpSender {
 public:
  virtual ~OtlpSender() = default;
  // By the protocol of the options. Refuses what cannot be an endpoint (kInvalidArgument).
  static Result<std::unique_ptr<OtlpSender>> Create(const OtlpOptions& options, Signal signal);

  // `request` is a whole Export...ServiceRequest: protobuf, or JSON if the protocol says so.
  virtual ExportOutcome Send(std::string_view request,
                             std::chrono::steady_clock::time_point deadline) = 0;
  // Any thread: a running Send returns soon, and so does every later one.
  virtual void Cancel() = 0;
};

}  // namespace sonde::exporter
