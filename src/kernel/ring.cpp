// SPDX-License-Identifier: Apache-2.0
#include "kernel/ring.h"

#include <absl/status/status.h>
#include <bpf/libbpf.h>
#include <sys/epoll.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string_view>

#include "kernel/file_descriptor.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::kernel {

Result<std::unique_ptr<Ring>> Ring::Create(int map_fd) {
  std::unique_ptr<Ring> ring(new Ring());
  ring->ring_ = ring_buffer__new(map_fd, &Ring::OnRecord, ring.get(), nullptr);
  if (ring->ring_ == nullptr) return absl::ErrnoToStatus(errno, "ring buffer");
  ring->epoll_ = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
  // Edge-triggered: only a wake-up from the kernel side counts, not that there is data, which is
  // nearly always so.
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {}};
  if (epoll_ctl(ring->epoll_.get(), EPOLL_CTL_ADD, map_fd, &event) != 0) {
    return absl::ErrnoToStatus(errno, "ring buffer epoll");
  }
  return ring;
}

Ring::~Ring() { ring_buffer__free(ring_); }

int Ring::OnRecord(void* self, void* data, size_t size) {
  auto* ring = static_cast<Ring*>(self);
  ++ring->visited_;
  (*ring->visit_)({static_cast<const char*>(data), size});
  return ring->visited_ < kMaxRecords ? 0 : -EAGAIN;  // negative: stop behind this record
}

void Ring::Wait(Milliseconds timeout) const {
  if (timeout.count() <= 0) return;
  epoll_event event{};
  // Interrupted by a signal: the ring is drained all the same.
  epoll_wait(epoll_.get(), &event, 1, static_cast<int>(timeout.count()));
}

Result<size_t> Ring::Drain(const Visitor& visit) {
  visit_ = &visit;
  visited_ = 0;
  const int outcome = ring_buffer__consume(ring_);
  if (outcome < 0 && outcome != -EAGAIN) return absl::ErrnoToStatus(-outcome, "ring buffer");
  return visited_;
}

}  // namespace sonde::kernel
