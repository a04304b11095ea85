// SPDX-License-Identifier: Apache-2.0
// Keeps spans back until the description of their container has come, for a short bounded time, so
// that the first spans of a container are named as all others. Drain thread.
#pragma once

#include <cstddef>
#include <deque>

#include "resource/resource_stage.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/span.h"

namespace sonde::resource {

class SpanHold final : public SpanSink {
 public:
  // More than these go on with what is known.
  static constexpr size_t kMaxHeld = 4096;

  // All outlive it.
  SpanHold(const ResourceStage& resources, SpanSink& next, MetricRegistry& metrics);

  // The span goes on at once with what is known now, unless ResourceStage::Waits() for it.
  void OnSpan(Span&& span) override;
  void OnTick();
  // Sends on everything.
  void Shutdown();

 private:
  void Send(Span&& span);

  const ResourceStage& resources_;
  SpanSink& next_;
  std::deque<Span> held_;
  Counter& described_;
  Counter& timed_out_;
  Counter& full_;
};

}  // namespace sonde::resource
