// SPDX-License-Identifier: Apache-2.0
// What must hold of every plan made for a real runtime, and hostile copies of a file.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <random>
#include <string>
#include <string_view>

#include "binary/elf.h"
#include "sonde/abi/tls.h"
#include "sonde/probe/runtime.h"

namespace sonde::testing {

// It is an instruction the kernel emulates, and there is something to be read.
inline void ExpectSoundPoint(const std::string& path, const probe::RuntimePoint& point) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  unsigned char code[2] = {};
  const auto got = pread(fd, code, sizeof(code), static_cast<off_t>(point.file_offset));
  close(fd);
  ASSERT_EQ(got, 2) << point.where;
  const bool emulated = code[0] == 0xe8 || code[0] == 0xe9 || code[0] == 0xeb || code[0] == 0x90 ||
                        (code[0] & 0xf0) == 0x70 || (code[0] & 0xf8) == 0x50 ||
                        (code[0] == 0x41 && (code[1] & 0xf8) == 0x50) ||
                        (code[0] == 0x0f && (code[1] & 0xf0) == 0x80);
  EXPECT_TRUE(emulated || point.at_return) << point.where;
  EXPECT_LT(point.subject.from, SONDE_REGISTER_COUNT) << point.where;
  EXPECT_FALSE(point.where.empty());
}

// Asks for the runtime in copies of the file that are cut short or have other bytes here and there.
inline void ExpectNoHarm(const probe::Runtime& runtime, std::string_view file) {
  std::minstd_rand random(1);
  for (int round = 0; round < 300; ++round) {
    std::string bytes(file.substr(0, round % 3 == 0 ? random() % file.size() : file.size()));
    for (int i = 0; i < round % 16 && !bytes.empty(); ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const auto elf = binary::Elf::FromBytes(bytes);
    if (!elf.ok()) continue;
    const auto plan = runtime.resolve(**elf);
    if (!plan.ok()) {
      EXPECT_FALSE(plan.status().message().empty());
      continue;
    }
    for (const auto& point : plan->points) EXPECT_LT(point.file_offset, bytes.size());
  }
}

}  // namespace sonde::testing
