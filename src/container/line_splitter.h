// SPDX-License-Identifier: Apache-2.0
// An endless text cut into lines, as it comes in pieces of any size. Lines beyond a bound are left
// out whole.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace sonde::container {

class LineSplitter {
 public:
  explicit LineSplitter(size_t max_line_bytes) : max_(max_line_bytes) {}

  // `on_line` gets each complete line that is not empty, without its end.
  template <typename OnLine>
  void Add(std::string_view piece, OnLine&& on_line) {
    while (!piece.empty()) {
      const size_t end = piece.find('\n');
      const std::string_view part = piece.substr(0, end);
      if (!skipping_ && rest_.size() + part.size() > max_) {
        skipping_ = true;
        rest_ = {};
      }
      if (end == std::string_view::npos) {
        if (!skipping_) rest_.append(part);
        return;
      }
      piece.remove_prefix(end + 1);
      if (std::exchange(skipping_, false)) {
        ++left_out_;
      } else if (rest_.empty()) {
        if (!part.empty()) on_line(part);
      } else {
        rest_.append(part);
        on_line(std::string_view(rest_));
        rest_.clear();
      }
    }
  }
  size_t left_out() const { return left_out_; }

 private:
  const size_t max_;
  std::string rest_;
  bool skipping_ = false;
  size_t left_out_ = 0;
};

}  // namespace sonde::container
