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
constexpr size_t kMaxReserved = 20;  // columns kept free for an error

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

void Row::AddWhole(Ink ink, std::string_view text) {
  if (width_ + 1 + SafeWidth(text) <= max_width_) Add(ink, text, 1);
}

void AddWhat(Row& row, const Summary& summary, size_t gap) {
  const std::string error = summary.error.empty() ? "" : "✗ " + std::string(summary.error);
  // Names and paths may be long; what went wrong must not be pushed out by them.
  const size_t max_width = row.max_width();
  const size_t reserved = error.empty() ? 0 : 1 + std::min(SafeWidth(error), kMaxReserved);
  row.set_max_width(max_width - std::min(max_width, reserved));
  if (!summary.peer.empty()) {
    row.Add(Ink::kDim, "→", gap);
    row.Add(Ink::kPlain, summary.peer, 1);
    gap = 1;
  }
  row.Add(summary.failed ? Ink::kBoldRed : Ink::kBold, summary.name, gap);
  row.Add(Ink::kDim, summary.target, 1);
  row.set_max_width(max_width);
  row.Add(Ink::kRed, error, 1);
  if (!summary.unfinished.empty()) {
    row.AddWhole(Ink::kYellow, "unfinished: " + std::string(summary.unfinished));
  }
  if (!summary.link_method.empty())
    row.AddWhole(Ink::kDim, "· " + std::string(summary.link_method));
}

Ink InkOfStatus(const Summary& summary) {
  if (summary.failed || summary.status_code >= 500) return Ink::kBoldRed;
  if (summary.status_code >= 400) return Ink::kYellow;
  if (summary.status_code >= 300) return Ink::kCyan;
  return summary.status_code >= 200 ? Ink::kGreen : Ink::kPlain;
}

}  // namespace sonde::exporter
