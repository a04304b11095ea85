// SPDX-License-Identifier: Apache-2.0
// A growing run of bytes for the encoders: unlike std::string it does not zero what it grows, and
// it hands out room to write into, so that one bounds check covers a whole attribute. Keeps its
// memory between batches.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace sonde::exporter {

class ByteBuffer {
 public:
  std::string_view view() const { return {data_.get(), size_}; }
  size_t size() const { return size_; }
  char* data() { return data_.get(); }
  void Clear() { size_ = 0; }

  // At least `n` writable bytes behind the end; Commit() says how many of them were written.
  char* Room(size_t n) {
    if (capacity_ - size_ < n) Grow(n);
    return data_.get() + size_;
  }
  void Commit(size_t n) { size_ += n; }

  void Append(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(Room(text.size()), text.data(), text.size());
    size_ += text.size();
  }
  void Append(char c) {
    *Room(1) = c;
    ++size_;
  }

 private:
  void Grow(size_t n) {
    capacity_ = std::max(size_ + n, std::max<size_t>(capacity_ * 2, 4096));
    auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
    if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
  }

  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace sonde::exporter
