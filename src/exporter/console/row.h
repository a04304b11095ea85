// SPDX-License-Identifier: Apache-2.0
// A line under construction: painted, made safe, and cut at its width.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "exporter/console/style.h"
#include "exporter/console/summary.h"

namespace sonde::exporter {

class Row {
 public:
  Row(const Style& style, size_t max_width) : style_(style), max_width_(max_width) {}

  size_t width() const { return width_; }

  // `gap` spaces, then as much of `text` as fits. Nothing at all if less than a few columns are
  // left.
  void Add(Ink ink, std::string_view text, size_t gap = 0);
  // Right-aligned in `columns`, after one space.
  void AddRight(Ink ink, std::string_view text, size_t columns);
  // After one space, and only if all of it fits.
  void AddWhole(Ink ink, std::string_view text);
  void PadTo(size_t column);
  size_t max_width() const { return max_width_; }
  void set_max_width(size_t max_width) { max_width_ = max_width; }

  // With a line break and without trailing spaces.
  void AppendTo(std::string& out) const;

 private:
  const Style& style_;
  size_t max_width_;
  size_t width_ = 0;
  std::string text_;
  size_t pending_ = 0;  // spaces not yet written
};

// Peer, name, path, error and the rest of what a span says, in the order in which they may be cut
// off from the right.
void AddWhat(Row& row, const Summary& summary, size_t gap);

Ink InkOfStatus(const Summary& summary);

}  // namespace sonde::exporter
