// SPDX-License-Identifier: Apache-2.0
// What the heap holds at this moment, with and without a sanitizer's allocator.
#pragma once

#include <malloc.h>

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// sanitizer/allocator_interface.h, which not every compiler package brings.
extern "C" size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace sonde::testing {

inline size_t AllocatedBytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return __sanitizer_get_current_allocated_bytes();
#else
  return mallinfo2().uordblks;
#endif
}

}  // namespace sonde::testing
