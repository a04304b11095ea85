// SPDX-License-Identifier: Apache-2.0
// Writes a recording for `sonde replay`. Drain thread. A write error ends the recording, said once;
// tracing goes on.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "sonde/base/result.h"

namespace sonde::kernel {

class RecordingWriter {
 public:
  static Result<std::unique_ptr<RecordingWriter>> Create(const std::string& path,
                                                         int64_t wall_minus_mono_ns);
  void Write(std::string_view record);
  void WriteResource(uint32_t tgid, std::string_view json);

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  explicit RecordingWriter(std::FILE* file) : file_(file) {}

  std::unique_ptr<std::FILE, Closer> file_;
  bool failed_ = false;
};

}  // namespace sonde::kernel
