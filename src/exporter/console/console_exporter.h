// SPDX-License-Identifier: Apache-2.0
// What a user sees first: spans on the terminal, as trees of traces, lines, or JSON objects. Never
// in the way: a reader that stops is waited for within the export deadline, one that has gone ends
// the output quietly.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "exporter/byte_buffer.h"
#include "exporter/console/style.h"
#include "exporter/console/trace_window.h"
#include "exporter/fd_writer.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class ConsoleExporter final : public SpanExporter {
 public:
  // `fd` stays open. Without `style` it is asked for again before each output, so that a resized
  // window is followed.
  ConsoleExporter(ConsoleFormat format, int fd, const TraceWindow::Limits& limits = {},
                  std::optional<Style> style = std::nullopt)
      : format_(format), style_(style), writer_(fd), window_(limits) {}

  const char* name() const override { return "console"; }
  ExportOutcome Export(std::span<const Span> batch,
                       std::chrono::steady_clock::time_point deadline) override;
  void Tick() override;
  void Flush() override;
  void Cancel() override { writer_.Cancel(); }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  void RenderTraces(TimePoint now, bool all);
  void RenderSpans(std::span<const Span> batch);
  FdWriter::Outcome WritePending(TimePoint deadline);
  Style CurrentStyle() const { return style_.has_value() ? *style_ : Style::Detect(writer_.fd()); }

  const ConsoleFormat format_;
  const std::optional<Style> style_;
  FdWriter writer_;
  TraceWindow window_;
  std::string pending_;  // rendered, not yet written: at most one batch or one second of trees
  ByteBuffer json_;
  bool closed_ = false;  // the reader has gone
};

}  // namespace sonde::exporter
