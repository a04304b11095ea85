// SPDX-License-Identifier: Apache-2.0
#include "uring.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "lab.h"

namespace sonde::kernel_test {
namespace {

constexpr unsigned kEntries = 4;

int Setup(io_uring_params& params) {
  return static_cast<int>(syscall(SYS_io_uring_setup, kEntries, &params));
}

}  // namespace

bool Uring::Permitted() {
  io_uring_params params = {};
  const int fd = Setup(params);
  if (fd < 0) return false;
  close(fd);
  return (params.features & IORING_FEAT_SINGLE_MMAP) != 0;
}

Uring::Uring(Mode mode) : mode_(mode) {
  if (mode == Mode::kPolling) {
    params_.flags = IORING_SETUP_SQPOLL;
    params_.sq_thread_idle = 1000;
  }
  fd_ = Setup(params_);
  Must(fd_ >= 0);
  queue_bytes_ = std::max<size_t>(params_.sq_off.array + params_.sq_entries * sizeof(uint32_t),
                                  params_.cq_off.cqes + params_.cq_entries * sizeof(io_uring_cqe));
  void* queue = mmap(nullptr, queue_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_,
                     IORING_OFF_SQ_RING);
  void* entries = mmap(nullptr, params_.sq_entries * sizeof(io_uring_sqe), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_POPULATE, fd_, IORING_OFF_SQES);
  Must(queue != MAP_FAILED && entries != MAP_FAILED);
  queue_ = static_cast<char*>(queue);
  entries_ = static_cast<io_uring_sqe*>(entries);
}

Uring::~Uring() {
  munmap(entries_, params_.sq_entries * sizeof(io_uring_sqe));
  munmap(queue_, queue_bytes_);
  close(fd_);
}

std::atomic_ref<uint32_t> Uring::Word(uint32_t offset) const {
  return std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(queue_ + offset));
}

void Uring::Enter(unsigned submit, unsigned complete, unsigned flags) const {
  long entered = 0;
  do {
    entered = syscall(SYS_io_uring_enter, fd_, submit, complete, flags, nullptr, 0);
  } while (entered < 0 && errno == EINTR);
  Must(entered >= 0);
}

void Uring::Submit(uint8_t opcode, int fd, void* bytes, size_t size) {
  const uint32_t tail = Word(params_.sq_off.tail).load();
  const uint32_t index = tail % params_.sq_entries;
  io_uring_sqe& entry = entries_[index];
  entry = {};
  entry.opcode = opcode;
  entry.fd = fd;
  entry.addr = reinterpret_cast<uint64_t>(bytes);
  entry.len = static_cast<uint32_t>(size);
  if (mode_ == Mode::kWorker) entry.flags = IOSQE_ASYNC;
  Word(params_.sq_off.array + index * static_cast<uint32_t>(sizeof(uint32_t))).store(index);
  Word(params_.sq_off.tail).store(tail + 1);
  if (mode_ == Mode::kPolling) {
    Enter(0, 0, IORING_ENTER_SQ_WAKEUP);
  } else {
    Enter(1, 0, 0);
  }
}

int Uring::Wait() {
  const uint32_t head = Word(params_.cq_off.head).load();
  Enter(0, 1, IORING_ENTER_GETEVENTS);
  Must(Word(params_.cq_off.tail).load() != head);
  const auto* results = reinterpret_cast<const io_uring_cqe*>(queue_ + params_.cq_off.cqes);
  const int result = results[head % params_.cq_entries].res;
  Word(params_.cq_off.head).store(head + 1);
  return result;
}

}  // namespace sonde::kernel_test
