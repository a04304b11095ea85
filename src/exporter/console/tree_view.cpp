// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/tree_view.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/console/row.h"
#include "exporter/console/style.h"
#include "exporter/console/summary.h"
#include "exporter/console/text.h"
#include "sonde/base/ids.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

constexpr size_t kMaxLines = 100;
constexpr size_t kTimeWidth = 13;     // "12:04:05.123 "
constexpr size_t kShortTraceId = 8;   // digits
constexpr size_t kNumbersWidth = 15;  // " 200  42.1 ms "
constexpr size_t kDurationWidth = 8;

size_t BarWidth(const Style& style) {
  if (style.width >= 110) return 24;
  return style.width >= 80 ? 14 : 0;
}

class Tree {
 public:
  Tree(const std::vector<Span>& spans, const Style& style) : spans_(spans), style_(style) {
    absl::flat_hash_map<uint64_t, size_t> by_id;
    by_id.reserve(spans.size());
    for (size_t i = 0; i < spans.size(); ++i) by_id.emplace(OpaqueIdHash()(spans[i].span_id), i);
    children_.resize(spans.size());
    shown_.resize(spans.size());
    for (const size_t i : ByStart()) {
      const auto parent = spans[i].parent_span_id.valid()
                              ? by_id.find(OpaqueIdHash()(spans[i].parent_span_id))
                              : by_id.end();
      if (parent == by_id.end() || parent->second == i) {
        roots_.push_back(i);
      } else {
        children_[parent->second].push_back(i);
      }
    }
  }

  size_t AppendTo(std::string& out) {
    for (const size_t root : roots_) Walk(out, root);
    // Whoever was not reached hangs on a ring of parents.
    for (size_t i = 0; i < spans_.size(); ++i) Walk(out, i);
    if (lines_ < spans_.size()) {
      Row row(style_, style_.width);
      row.PadTo(kTimeWidth);
      row.Add(Ink::kDim, "… " + FormatCount(spans_.size() - lines_) + " more spans in this trace");
      row.AppendTo(out);
      return lines_ + 1;
    }
    return lines_;
  }

 private:
  struct Step {
    size_t span;
    std::string prefix;  // of this line
    std::string indent;  // of the lines below it
    std::string_view parent_service;
  };

  std::vector<size_t> ByStart() {
    std::vector<size_t> order(spans_.size());
    begin_ns_ = UINT64_MAX;
    for (size_t i = 0; i < order.size(); ++i) {
      order[i] = i;
      begin_ns_ = std::min(begin_ns_, spans_[i].start_wall_ns);
      end_ns_ = std::max(end_ns_, spans_[i].start_wall_ns + DurationOf(spans_[i]));
    }
    std::ranges::sort(order, [&](size_t a, size_t b) {
      return spans_[a].start_wall_ns < spans_[b].start_wall_ns;
    });
    return order;
  }

  // With a stack of its own: a hostile chain of parents may be as long as the trace.
  void Walk(std::string& out, size_t root) {
    std::vector<Step> stack;
    stack.push_back({root, "", "", ""});
    while (!stack.empty() && lines_ < kMaxLines) {
      const Step step = std::move(stack.back());
      stack.pop_back();
      if (shown_[step.span]) continue;
      shown_[step.span] = true;
      const Summary summary = Summarise(spans_[step.span]);
      AppendRow(out, step, summary);
      const auto& children = children_[step.span];
      for (size_t i = children.size(); i-- > 0;) {
        const bool last = i + 1 == children.size();
        stack.push_back({children[i], step.indent + (last ? "└─ " : "├─ "),
                         step.indent + (last ? "   " : "│  "), summary.service});
      }
    }
  }

  void AppendRow(std::string& out, const Step& step, const Summary& summary) {
    const Span& span = spans_[step.span];
    const size_t bar = BarWidth(style_);
    const size_t text_end = style_.width - kNumbersWidth - bar;
    Row row(style_, text_end);
    AddGutter(row, span);
    row.set_max_width(
        std::max(text_end * 2 / 3, kTimeWidth));  // a deep tree must not push out the names
    row.Add(Ink::kDim, step.prefix);
    row.set_max_width(text_end);
    const bool name_service = summary.service != step.parent_service || summary.peer.empty();
    if (name_service) row.Add(InkOfService(summary.service), summary.service);
    AddWhat(row, summary, name_service ? 2 : 0);
    row.PadTo(text_end);
    row.set_max_width(style_.width);
    row.Add(InkOfStatus(summary), summary.status, 1);
    row.PadTo(text_end + 4);
    row.AddRight(summary.failed ? Ink::kRed : Ink::kPlain, FormatDuration(DurationOf(span)),
                 kDurationWidth);
    if (bar > 0 && spans_.size() > 1) AddBar(row, span, summary, text_end + kNumbersWidth, bar);
    row.AppendTo(out);
    ++lines_;
  }

  // The first line says when, the second which trace.
  void AddGutter(Row& row, const Span& span) const {
    if (lines_ == 0) row.Add(Ink::kDim, FormatTimeOfDay(span.start_wall_ns));
    if (lines_ == 1) row.Add(Ink::kDim, span.trace_id.ToHex().substr(0, kShortTraceId), 4);
    row.PadTo(kTimeWidth);
  }

  void AddBar(Row& row, const Span& span, const Summary& summary, size_t column,
              size_t cells) const {
    const double scale = static_cast<double>(cells) /
                         static_cast<double>(std::max<uint64_t>(1, end_ns_ - begin_ns_));
    const auto at = [&](uint64_t wall_ns) {
      return std::min(cells, static_cast<size_t>(
                                 std::lround(static_cast<double>(wall_ns - begin_ns_) * scale)));
    };
    const size_t from = std::min(at(span.start_wall_ns), cells - 1);
    const size_t to = std::max(from + 1, at(span.start_wall_ns + DurationOf(span)));
    std::string bar;
    for (size_t i = from; i < to; ++i) bar += "━";
    row.PadTo(column + from);
    row.set_max_width(column + cells + 1);
    row.Add(summary.failed ? Ink::kRed : InkOfService(summary.service), bar);
  }

  const std::vector<Span>& spans_;
  const Style& style_;
  std::vector<std::vector<size_t>> children_;
  std::vector<size_t> roots_;
  std::vector<bool> shown_;
  uint64_t begin_ns_ = 0;
  uint64_t end_ns_ = 0;
  size_t lines_ = 0;
};

}  // namespace

size_t AppendTree(std::string& out, const std::vector<Span>& spans, const Style& style) {
  return Tree(spans, style).AppendTo(out);
}

}  // namespace sonde::exporter
