// SPDX-License-Identifier: Apache-2.0
// A recording: this header, then records as the kernel made them, and records of our own with types from 1000 on.
#pragma once

#include <cstdint>

#include "sonde/abi/record.h"

namespace sonde::kernel {

constexpr char kRecordingMagic[8] = {'S', 'O', 'N', 'D', 'E', 'R', 'E', 'C'};

struct RecordingHeader {
  char magic[8];
  uint16_t major;
  uint16_t minor;
  uint32_t reserved;
  int64_t wall_minus_mono_ns;
};
static_assert(sizeof(RecordingHeader) == 24);

constexpr uint16_t kResourceRecord = 1000;

// Followed by the JSON text of the resource, then zeros up to a multiple of 8.
struct ResourceRecord {
  sonde_record_header header;
  uint32_t tgid;
  uint32_t text_bytes;
};
static_assert(sizeof(ResourceRecord) == 24);

}  // namespace sonde::kernel
