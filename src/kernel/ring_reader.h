// SPDX-License-Identifier: Apache-2.0
// Reads the ring buffer. One thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "sonde/base/result.h"

struct ring_buffer;

namespace sonde::kernel {

class RingReader {
 public:
  static Result<std::unique_ptr<RingReader>> Create(int map_fd);
  ~RingReader();
  RingReader(const RingReader&) = delete;
  RingReader& operator=(const RingReader&) = delete;

  int epoll_fd() const;

  // Waits for a wake-up, at most `timeout`.
  void Wait(std::chrono::milliseconds timeout) const;
  // Calls `on_record` for what is there. Stops after kMaxRecords, so that timers run beside a writer that never pauses.
  size_t Drain(const std::function<void(std::string_view)>& on_record);

  static constexpr size_t kMaxRecords = 65536;

 private:
  struct RingCloser {
    void operator()(ring_buffer* ring) const;
  };
  RingReader() = default;
  static int OnSample(void* context, void* data, size_t size);

  std::unique_ptr<ring_buffer, RingCloser> ring_;
  const std::function<void(std::string_view)>* on_record_ = nullptr;  // during Drain
  size_t count_ = 0;
};

}  // namespace sonde::kernel
