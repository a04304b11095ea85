// SPDX-License-Identifier: Apache-2.0
// The bytes of a file that may change or shrink while it is read: through pread, never a mapping
// (which would raise SIGBUS), and never more than the file has. Any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "sonde/base/result.h"

namespace sonde::binary {

// What one call reads at most: more than any section sonde asks for as a whole.
inline constexpr uint64_t kMaxReadBytes = 64U << 20;

class ByteSource {
 public:
  static Result<ByteSource> FromFd(int fd);
  static ByteSource FromBytes(std::string bytes);
  ~ByteSource();
  ByteSource(ByteSource&& other) noexcept;
  ByteSource& operator=(ByteSource&& other) = delete;

  uint64_t size() const { return size_; }
  // At most `size` bytes, and kMaxReadBytes; fewer at the end of the file.
  std::string Read(uint64_t offset, uint64_t size) const;
  // False if the file ends before.
  template <typename T>
  bool ReadObject(uint64_t offset, T& object) const {
    static_assert(std::is_trivially_copyable_v<T>);
    return ReadInto(offset, reinterpret_cast<char*>(&object), sizeof(T)) == sizeof(T);
  }
  // Goes through [offset, offset + size) in pieces, each of which begins with the last `overlap`
  // bytes of the one before; visit(std::string_view piece, uint64_t position from `offset`) returns
  // false to stop. Holds one piece at a time.
  template <typename Visit>
  void ForEachPiece(uint64_t offset, uint64_t size, size_t overlap, Visit visit) const {
    std::string piece;
    uint64_t position = 0;
    size_t kept = 0;
    while (position < size) {
      piece.resize(kept + std::min<uint64_t>(kPieceBytes, size - position));
      const size_t got = ReadInto(offset + position, piece.data() + kept, piece.size() - kept);
      if (got == 0) return;
      const std::string_view view(piece.data(), kept + got);
      if (!visit(view, position - kept)) return;
      position += got;
      kept = std::min(overlap, view.size());
      std::memmove(piece.data(), view.data() + view.size() - kept, kept);
    }
  }

 private:
  static constexpr uint64_t kPieceBytes = 256U << 10;

  ByteSource(int fd, std::string bytes, uint64_t size);
  size_t ReadInto(uint64_t offset, char* to, size_t size) const;

  int fd_;  // -1: bytes_
  std::string bytes_;
  uint64_t size_;
};

}  // namespace sonde::binary
