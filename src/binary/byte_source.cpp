// SPDX-License-Identifier: Apache-2.0
#include "binary/byte_source.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "sonde/base/result.h"

namespace sonde::binary {

Result<ByteSource> ByteSource::FromFd(int fd) {
  struct stat status{};
  if (fstat(fd, &status) != 0) return absl::ErrnoToStatus(errno, "cannot read the file's size");
  if (!S_ISREG(status.st_mode)) return absl::InvalidArgumentError("not a regular file");
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return absl::ErrnoToStatus(errno, "cannot keep the file open");
  return ByteSource(own, {}, static_cast<uint64_t>(status.st_size));
}

ByteSource ByteSource::FromBytes(std::string bytes) {
  const uint64_t size = bytes.size();
  return {-1, std::move(bytes), size};
}

ByteSource::ByteSource(int fd, std::string bytes, uint64_t size)
    : fd_(fd), bytes_(std::move(bytes)), size_(size) {}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), bytes_(std::move(other.bytes_)), size_(other.size_) {}

ByteSource::~ByteSource() {
  if (fd_ >= 0) close(fd_);
}

std::string ByteSource::Read(uint64_t offset, uint64_t size) const {
  if (offset >= size_) return {};
  std::string bytes(std::min({size, size_ - offset, kMaxReadBytes}), '\0');
  bytes.resize(ReadInto(offset, bytes.data(), bytes.size()));
  return bytes;
}

size_t ByteSource::ReadInto(uint64_t offset, char* to, size_t size) const {
  if (offset >= size_) return 0;
  size = std::min<uint64_t>(size, size_ - offset);
  if (fd_ < 0) {
    std::memcpy(to, bytes_.data() + offset, size);
    return size;
  }
  size_t got = 0;
  while (got < size) {
    const ssize_t more = pread(fd_, to + got, size - got, static_cast<off_t>(offset + got));
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) break;  // cut short since, or unreadable: as if it ended here
    got += static_cast<size_t>(more);
  }
  return got;
}

}  // namespace sonde::binary
