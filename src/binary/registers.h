// SPDX-License-Identifier: Apache-2.0
// What the C calling convention of the host's processor makes of its registers, by the numbers of
// struct sonde_place.
#pragma once

#include <array>
#include <cstdint>

#include "sonde/abi/tls.h"

namespace sonde::binary {

#if defined(__x86_64__)

// System V ABI, 3.2.
inline constexpr uint8_t kRegisterCount = SONDE_REGISTER_COUNT;
inline constexpr std::array<uint8_t, 6> kArguments = {SONDE_REGISTER_DI, SONDE_REGISTER_SI,
                                                      SONDE_REGISTER_DX, SONDE_REGISTER_CX,
                                                      SONDE_REGISTER_R8, 9};
inline constexpr uint8_t kResult = SONDE_REGISTER_AX;
inline constexpr uint8_t kStackPointer = SONDE_REGISTER_SP;
inline constexpr uint8_t kFramePointer = SONDE_REGISTER_BP;
// Those that a call need not keep: ax, dx, cx, si, di, r8 to r11.
inline constexpr uint32_t kLostByCalls = 0x0f37;
// The kernel does what an emulated instruction does, and runs others out of line, which costs more.
inline constexpr bool kOnlyEmulated = true;

#elif defined(__aarch64__)

// Procedure Call Standard for the Arm 64-bit Architecture, 6.1.
inline constexpr uint8_t kRegisterCount = 32;
inline constexpr std::array<uint8_t, 6> kArguments = {0, 1, 2, 3, 4, 5};
inline constexpr uint8_t kResult = 0;
inline constexpr uint8_t kStackPointer = 31;
inline constexpr uint8_t kFramePointer = 29;
// x0 to x18, x30.
inline constexpr uint32_t kLostByCalls = 0x4007ffff;
// A function begins with none that are emulated.
inline constexpr bool kOnlyEmulated = false;

#endif

}  // namespace sonde::binary
