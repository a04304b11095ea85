// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/console_exporter.h"

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "exporter/console/line_view.h"
#include "exporter/console/style.h"
#include "exporter/console/text.h"
#include "exporter/console/trace_window.h"
#include "exporter/console/tree_view.h"
#include "exporter/fd_writer.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

using std::chrono::steady_clock;

// Outside Export nobody gives a deadline: a stuck terminal is left alone until the next call.
constexpr std::chrono::milliseconds kTickPatience{100};
constexpr std::chrono::milliseconds kFlushPatience{500};

}  // namespace

ExportOutcome ConsoleExporter::Export(std::span<const Span> batch, TimePoint deadline) {
  // Nothing of the batch is taken before the last output is through, so that a retry shows no span
  // twice.
  FdWriter::Outcome outcome = WritePending(deadline);
  if (outcome == FdWriter::Outcome::kBlocked) {
    return {.code = ExportOutcome::Code::kRetry, .message = "standard output is not read"};
  }
  if (outcome == FdWriter::Outcome::kDone) {
    if (format_ == ConsoleFormat::kTree) {
      const TimePoint now = steady_clock::now();
      for (const Span& span : batch) window_.Add(span, now);
      RenderTraces(now, false);
    } else {
      RenderSpans(batch);
    }
    outcome = WritePending(deadline);
  }
  if (closed_)
    return {.code = ExportOutcome::Code::kFailed, .message = "standard output is closed"};
  return {};
}

void ConsoleExporter::RenderSpans(std::span<const Span> batch) {
  if (format_ == ConsoleFormat::kLine) {
    const Style style = CurrentStyle();
    for (const Span& span : batch) AppendLine(pending_, span, style);
    return;
  }
  json_.Clear();
  for (const Span& span : batch) AppendJsonLine(json_, span);
  pending_ += json_.view();
}

void ConsoleExporter::RenderTraces(TimePoint now, bool all) {
  const std::vector<std::vector<Span>> traces = window_.Take(now, all);
  const TraceWindow::Skipped skipped = window_.TakeSkipped(now, all);
  if (traces.empty() && skipped.traces == 0) return;
  const Style style = CurrentStyle();
  for (const auto& spans : traces) AppendTree(pending_, spans, style);
  if (skipped.traces == 0) return;
  std::string line = "             … " + FormatCount(skipped.traces) + " more " +
                     (skipped.traces == 1 ? "trace" : "traces") + " in the last second";
  if (skipped.failed_spans > 0)
    line += ", " + FormatCount(skipped.failed_spans) +
            (skipped.failed_spans == 1 ? " failed span" : " failed spans");
  Paint(pending_, style, Ink::kDim, line);
  pending_ += '\n';
}

void ConsoleExporter::Tick() {
  if (format_ != ConsoleFormat::kTree || closed_) return;
  if (pending_.empty()) RenderTraces(steady_clock::now(), false);
  WritePending(steady_clock::now() + kTickPatience);
}

void ConsoleExporter::Flush() {
  if (format_ == ConsoleFormat::kTree && !closed_) RenderTraces(steady_clock::now(), true);
  WritePending(steady_clock::now() + kFlushPatience);
}

FdWriter::Outcome ConsoleExporter::WritePending(TimePoint deadline) {
  if (closed_) return FdWriter::Outcome::kClosed;
  if (pending_.empty()) return FdWriter::Outcome::kDone;
  const FdWriter::Progress progress = writer_.Write(pending_, deadline);
  pending_.erase(0, progress.written);
  if (progress.outcome == FdWriter::Outcome::kClosed ||
      progress.outcome == FdWriter::Outcome::kFailed) {
    closed_ = true;
    pending_.clear();
  }
  return progress.outcome;
}

}  // namespace sonde::exporter
