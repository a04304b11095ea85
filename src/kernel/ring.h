// SPDX-License-Identifier: Apache-2.0
// The reader's end of the ring buffer. Data records never wake it; process records do. Drain
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "kernel/file_descriptor.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

struct ring_buffer;

namespace sonde::kernel {

class Ring {
 public:
  using Visitor = std::function<void(std::string_view record)>;

  static Result<std::unique_ptr<Ring>> Create(int map_fd);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Until a wake-up, at most `timeout`.
  void Wait(Milliseconds timeout) const;
  // Visits what is there, at most kMaxRecords, so that timers run beside a writer that never
  // pauses. How many.
  Result<size_t> Drain(const Visitor& visit);

  static constexpr size_t kMaxRecords = 65536;

 private:
  Ring() = default;
  static int OnRecord(void* self, void* data, size_t size);

  ring_buffer* ring_ = nullptr;
  FileDescriptor epoll_;
  const Visitor* visit_ = nullptr;
  size_t visited_ = 0;
};

}  // namespace sonde::kernel
