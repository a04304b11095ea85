// SPDX-License-Identifier: Apache-2.0
// A socket's capture state, driven by calls as bpf/socket/emit.bpf.h does it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "sonde/wire/capture.h"
#include "unit/wire/wire_input.h"

namespace sonde::wire_test {

struct Taken {
  bool quiet = false;
  uint32_t captured = 0;
  uint32_t tail = 0;
};

class Socket {
 public:
  Socket() { sonde_capture_init(&state_); }

  // `readable`: bytes that could be read from memory; the others are in segments that are not
  // followed.
  Taken Call(uint32_t direction, std::string_view bytes, size_t readable = SIZE_MAX) {
    if (sonde_capture_asks(&state_, direction) != 0) {
      asked_ = true;
      sonde_capture_answer(&state_, verdict_);
      verdict_ = 0;
    }
    sonde_capture_call call = {};
    call.direction = direction;
    call.length = static_cast<uint32_t>(bytes.size());
    const uint32_t want = sonde_capture_peek(&state_, direction, call.length);
    const FirstBytes first(bytes.substr(0, std::min<size_t>(want, readable)));
    call.have = first.size();
    sonde_capture_decide(&state_, &call, first.get());
    return {call.quiet != 0, call.captured, call.tail};
  }

  void set_verdict(uint32_t verdict) { verdict_ = verdict; }
  bool asked() const { return asked_; }
  sonde_capture_state& state() { return state_; }

 private:
  sonde_capture_state state_ = {};
  uint32_t verdict_ = 0;
  bool asked_ = false;
};

}  // namespace sonde::wire_test
