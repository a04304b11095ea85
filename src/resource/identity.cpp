// SPDX-License-Identifier: Apache-2.0
#include "resource/identity.h"

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>

namespace sonde::resource {
namespace {

constexpr uint64_t kTicksPerSecond = 100;  // USER_HZ
constexpr uint64_t kMsPerTick = 10;

// 4d63009a-8d0f-11ee-aad7-4c796ed8e320
constexpr std::array<uint8_t, 16> kNamespace = {0x4d, 0x63, 0x00, 0x9a, 0x8d, 0x0f, 0x11, 0xee,
                                                0xaa, 0xd7, 0x4c, 0x79, 0x6e, 0xd8, 0xe3, 0x20};

}  // namespace

std::string InstanceId(std::string_view name) {
  std::string input(kNamespace.begin(), kNamespace.end());
  input.append(name);
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  // Fails only where SHA-1 is forbidden by policy; the id is then left out.
  if (EVP_Digest(input.data(), input.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1) {
    return {};
  }
  digest[6] = static_cast<uint8_t>((digest[6] & 0x0FU) | 0x50U);  // version 5
  digest[8] = static_cast<uint8_t>((digest[8] & 0x3FU) | 0x80U);  // variant of RFC 9562
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr size_t kUuidBytes = 16;
  std::string text;
  for (size_t i = 0; i < kUuidBytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[digest[i] >> 4U];
    text += kDigits[digest[i] & 0x0FU];
  }
  return text;
}

std::string CreationTime(uint64_t boot_wall_s, uint64_t start_ticks) {
  const auto seconds = static_cast<time_t>(boot_wall_s + (start_ticks / kTicksPerSecond));
  const auto milliseconds = static_cast<unsigned>(start_ticks % kTicksPerSecond * kMsPerTick);
  tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  std::array<char, 32> date{};
  if (strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts) == 0) return {};
  std::array<char, 48> text{};
  const int size = std::snprintf(text.data(), text.size(), "%s.%03uZ", date.data(), milliseconds);
  return {text.data(), static_cast<size_t>(size)};
}

}  // namespace sonde::resource
