// SPDX-License-Identifier: Apache-2.0
// Owns what Capstone allocates. Private to src/binary.
#pragma once

#include <capstone/capstone.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sonde::binary {

class CapstoneReader {
 public:
  // `code` must outlive this object.
  CapstoneReader(cs_arch architecture, cs_mode mode, std::string_view code, uint64_t address)
      : code_(reinterpret_cast<const uint8_t*>(code.data())),
        size_(code.size()),
        address_(address) {
    if (cs_open(architecture, mode, &handle_) != CS_ERR_OK) return;
    cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
    instruction_ = cs_malloc(handle_);
  }
  ~CapstoneReader() {
    if (instruction_ != nullptr) cs_free(instruction_, 1);
    if (handle_ != 0) cs_close(&handle_);
  }
  CapstoneReader(const CapstoneReader&) = delete;
  CapstoneReader& operator=(const CapstoneReader&) = delete;

  // Valid until the next call. Null at bytes that are no instruction, and at the end.
  const cs_insn* Next() {
    if (instruction_ == nullptr) return nullptr;
    return cs_disasm_iter(handle_, &code_, &size_, &address_, instruction_) ? instruction_
                                                                            : nullptr;
  }
  // Goes on `bytes` further; false at the end.
  bool Skip(size_t bytes) {
    const size_t skipped = std::min(bytes, size_);
    code_ += skipped;
    size_ -= skipped;
    address_ += skipped;
    return skipped == bytes;
  }

  csh handle() const { return handle_; }
  uint64_t address() const { return address_; }  // of what Next reads

 private:
  const uint8_t* code_;
  size_t size_;
  uint64_t address_;
  csh handle_ = 0;
  cs_insn* instruction_ = nullptr;
};

}  // namespace sonde::binary
