// SPDX-License-Identifier: Apache-2.0
// Reads a recording. It is an input file: every length is checked, a torn tail is tolerated and
// reported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sonde/base/result.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel {

class RecordingReader {
 public:
  using OnResource = std::function<void(uint32_t tgid, std::string_view json)>;

  // Reads the file into memory. kInvalidArgument: no recording, or of another major version.
  static Result<RecordingReader> Open(const std::string& path);
  static Result<RecordingReader> FromBytes(std::string bytes);
  static bool IsRecording(std::string_view first_bytes);

  int64_t wall_minus_mono_ns() const { return wall_minus_mono_ns_; }
  // What processes were called; before Replay, so that spans find it.
  void ReadResources(const OnResource& on_resource) const;
  // Records in order; ticks follow the records' own times, at least every 100 ms of them. Returns
  // how many records could not be decoded.
  size_t Replay(EventHandler& handler) const;
  size_t torn_bytes() const { return torn_bytes_; }

 private:
  RecordingReader() = default;
  template <typename Visit>
  void ForEach(Visit visit) const;

  std::string bytes_;
  size_t end_ = 0;  // of the last whole record
  size_t torn_bytes_ = 0;
  int64_t wall_minus_mono_ns_ = 0;
};

}  // namespace sonde::kernel
