// SPDX-License-Identifier: Apache-2.0
#include "exporter/queue/segment.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zconf.h>
#include <zlib.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/base/result.h"

namespace sonde::exporter {
namespace {

static_assert(std::endian::native == std::endian::little, "headers are written as they are");

constexpr uint32_t kMagic = 0x51646E73;  // "sndQ"
constexpr uint32_t kDone = 1;

struct Header {
  uint32_t magic = kMagic;
  uint32_t bytes = 0;
  uint32_t spans = 0;
  uint32_t checksum = 0;
  uint64_t wall_ns = 0;
  uint32_t own_checksum = 0;
  uint32_t done = 0;
};
static_assert(sizeof(Header) == Segment::kHeaderBytes);

uint32_t Checksum(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

uint32_t OwnChecksum(const Header& header) {
  return Checksum({reinterpret_cast<const char*>(&header), offsetof(Header, own_checksum)});
}

// Short only at the end of the file or after an error.
size_t ReadAt(int fd, uint64_t offset, char* to, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n = pread(fd, to + done, bytes - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

std::optional<Header> HeaderAt(int fd, uint64_t offset) {
  Header header;
  const bool whole =
      ReadAt(fd, offset, reinterpret_cast<char*>(&header), sizeof(header)) == sizeof(header);
  if (!whole || header.magic != kMagic || header.own_checksum != OwnChecksum(header)) {
    return std::nullopt;
  }
  return header;
}

// All of it, or the errno that stopped it.
int WriteAt(int fd, uint64_t offset, const Header& header, std::string_view body) {
  const size_t total = sizeof(header) + body.size();
  for (size_t done = 0; done < total;) {
    const size_t of_header = done < sizeof(header) ? sizeof(header) - done : 0;
    const size_t of_body = done < sizeof(header) ? 0 : done - sizeof(header);
    // writev only reads; its type predates const.
    const std::array<iovec, 2> parts{
        iovec{
            const_cast<char*>(reinterpret_cast<const char*>(&header)) + sizeof(header) - of_header,
            of_header},
        iovec{const_cast<char*>(body.data()) + of_body, body.size() - of_body}};
    const ssize_t n = pwritev(fd, parts.data(), 2, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return ENOSPC;
    done += static_cast<size_t>(n);
  }
  return 0;
}

}  // namespace

Result<Segment> Segment::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct stat status{};
  if (fd < 0 || fstat(fd, &status) != 0) {
    const Status error = absl::ErrnoToStatus(errno, path);
    if (fd >= 0) close(fd);
    return error;
  }
  return Segment(fd, static_cast<uint64_t>(status.st_size));
}

Segment::Segment(Segment&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), size_(other.size_), torn_bytes_(other.torn_bytes_) {}

Segment::~Segment() {
  if (fd_ >= 0) close(fd_);
}

std::vector<SegmentRecord> Segment::Walk() {
  std::vector<SegmentRecord> records;
  uint64_t offset = 0;
  while (offset < size_) {
    const auto header = HeaderAt(fd_, offset);
    if (!header || size_ - offset - kHeaderBytes < header->bytes) break;
    if (header->done != kDone) {
      records.push_back({offset, header->bytes, header->spans, header->checksum, header->wall_ns});
    }
    offset += kHeaderBytes + header->bytes;
  }
  torn_bytes_ = size_ - offset;
  return records;
}

Result<SegmentRecord> Segment::Append(std::string_view body, uint32_t spans, uint64_t wall_ns) {
  Header header{.bytes = static_cast<uint32_t>(body.size()),
                .spans = spans,
                .checksum = Checksum(body),
                .wall_ns = wall_ns};
  header.own_checksum = OwnChecksum(header);
  const int error = WriteAt(fd_, size_, header, body);
  if (error != 0) {
    // A shorter file needs no room. Should it fail all the same, the next record overwrites it.
    static_cast<void>(ftruncate(fd_, static_cast<off_t>(size_)));
    return absl::ErrnoToStatus(error, "write");
  }
  const uint64_t offset = std::exchange(size_, size_ + kHeaderBytes + body.size());
  return SegmentRecord{offset, header.bytes, spans, header.checksum, wall_ns};
}

Result<std::string> Segment::Read(const SegmentRecord& record) const {
  std::string body(record.bytes, '\0');
  errno = 0;
  if (ReadAt(fd_, record.offset + kHeaderBytes, body.data(), body.size()) != body.size()) {
    return absl::DataLossError(std::string("read: ") +
                               (errno != 0 ? std::strerror(errno) : "the file is shorter"));
  }
  if (Checksum(body) != record.checksum) return absl::DataLossError("the checksum does not fit");
  return body;
}

Status Segment::MarkDone(const SegmentRecord& record) const {
  const uint64_t offset = record.offset + offsetof(Header, done);
  const ssize_t n = pwrite(fd_, &kDone, sizeof(kDone), static_cast<off_t>(offset));
  return n == sizeof(kDone) ? absl::OkStatus() : absl::ErrnoToStatus(n < 0 ? errno : EIO, "write");
}

}  // namespace sonde::exporter
