// SPDX-License-Identifier: Apache-2.0
// The least of io_uring that can send and receive: raw system calls, one request at a time.
#pragma once

#include <linux/io_uring.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sonde::kernel_test {

class Uring {
 public:
  enum class Mode {
    kInline,   // done inside io_uring_enter
    kWorker,   // by a worker thread of the kernel
    kPolling,  // by a kernel thread that polls the queue: no system call at all
  };

  // False: the host does not permit it.
  static bool Permitted();
  // For scripts: Must.
  explicit Uring(Mode mode);
  ~Uring();
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;

  // IORING_OP_SEND, IORING_OP_RECV; one at a time.
  void Submit(uint8_t opcode, int fd, void* bytes, size_t size);
  // Until it is done; its result.
  int Wait();

 private:
  std::atomic_ref<uint32_t> Word(uint32_t offset) const;
  void Enter(unsigned submit, unsigned complete, unsigned flags) const;

  Mode mode_;
  int fd_;
  io_uring_params params_ = {};
  char* queue_ = nullptr;
  size_t queue_bytes_ = 0;
  io_uring_sqe* entries_ = nullptr;
};

}  // namespace sonde::kernel_test
