// SPDX-License-Identifier: Apache-2.0
#include "kernel/ring_reader.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <bpf/libbpf.h>
#include <sys/epoll.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <string_view>

#include "sonde/base/result.h"

namespace sonde::kernel {

void RingReader::RingCloser::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

RingReader::~RingReader() = default;

Result<std::unique_ptr<RingReader>> RingReader::Create(int map_fd) {
  std::unique_ptr<RingReader> reader(new RingReader());
  reader->ring_.reset(ring_buffer__new(map_fd, OnSample, reader.get(), nullptr));
  if (reader->ring_ == nullptr) {
    return absl::InternalError(absl::StrCat("cannot map the ring buffer: ", std::strerror(errno)));
  }
  return reader;
}

int RingReader::epoll_fd() const { return ring_buffer__epoll_fd(ring_.get()); }

void RingReader::Wait(std::chrono::milliseconds timeout) const {
  epoll_event event = {};
  // Interrupted or failed: the ring is drained all the same.
  epoll_wait(epoll_fd(), &event, 1, static_cast<int>(timeout.count()));
}

size_t RingReader::Drain(const std::function<void(std::string_view)>& on_record) {
  on_record_ = &on_record;
  count_ = 0;
  ring_buffer__consume(ring_.get());
  on_record_ = nullptr;
  return count_;
}

int RingReader::OnSample(void* context, void* data, size_t size) {
  auto* self = static_cast<RingReader*>(context);
  (*self->on_record_)({static_cast<const char*>(data), size});
  // A negative result ends the round; this record counts as read.
  return ++self->count_ < kMaxRecords ? 0 : -EAGAIN;
}

}  // namespace sonde::kernel
