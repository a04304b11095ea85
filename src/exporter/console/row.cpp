// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/row.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "exporter/console/style.h"
#include "exporter/console/summary.h"
#include "exporter/console/text.h"

namespace sonde::exporter {
namespace {

constexpr size_t kWorthShowing = 2;  // columns: a character and an ellipsis

}  // namespace

void Row::Add(Ink ink, std::string_view text, size_t gap) {
  if (text.empty() || width_ + gap + kWorthShowing > max_width_) return;
  std::string safe;
  const size_t columns = AppendSafe(safe, text, max_width_ - width_ - gap);
  text_.append(pending_ + gap, ' ');
  pending_ = 0;
  Paint(text_, style_, ink, safe);
  width_ += gap + columns;
}

void Row::AddRight(Ink ink, std::string_view text, size_t columns) {
  const size_t needed = SafeWidth(text);
  Add(ink, text, 1 + (needed < columns ? columns - needed : 0));
}

void Row::PadTo(size_t column) {
  column = std::min(column, max_width_);
  if (column <= width_) return;
  pending_ += column - width_;
  width_ = column;
}

void Row::AppendTo(std::string& out) const {
  out += text_;
  out += '\n';
}

void AddWhat(Row& row, const Summary& summary, size_t gap) {
  if (!summary.peer.empty()) {
    row.Add(Ink::kDim, "→", gap);
    row.Add(Ink::kPlain, summary.peer, 1);
    gap = 1;
  }
  row.Add(summary.failed ? Ink::kBoldRed : Ink::kBold, summary.name, gap);
  row.Add(Ink::kDim, summary.target, 1);
  if (!summary.error.empty()) {
    row.Add(Ink::kRed, "✗", 1);
    row.Add(Ink::kRed, summary.error, 1);
  }
  if (!summary.unfinished.empty()) {
    row.Add(Ink::kYellow, "unfinished:", 1);
    row.Add(Ink::kYellow, summary.unfinished, 1);
  }
  if (!summary.link_method.empty()) {
    row.Add(Ink::kDim, "·", 1);
    row.Add(Ink::kDim, summary.link_method, 1);
  }
}

Ink InkOfStatus(const Summary& summary) {
  if (summary.failed || summary.status_code >= 500) return Ink::kBoldRed;
  if (summary.status_code >= 400) return Ink::kYellow;
  if (summary.status_code >= 300) return Ink::kCyan;
  return summary.status_code >= 200 ? Ink::kGreen : Ink::kPlain;
}

}  // namespace sonde::exporter
