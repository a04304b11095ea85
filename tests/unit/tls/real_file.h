// SPDX-License-Identifier: Apache-2.0
// A library or program of this machine, and what must hold of every plan made for one.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "binary/code.h"
#include "binary/elf.h"
#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/probe/tls.h"

namespace sonde::testing {

// Null if this machine has no such file.
inline std::unique_ptr<binary::Elf> OpenFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  auto elf = binary::Elf::Open(fd);
  close(fd);
  return elf.ok() ? *std::move(elf) : nullptr;
}

// What must hold of every point: it is an instruction the kernel emulates, and described in full.
inline void ExpectSoundPoint(const std::string& path, const probe::TlsPoint& point) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  unsigned char code[2] = {};
  const auto got = pread(fd, code, sizeof(code), static_cast<off_t>(point.file_offset));
  close(fd);
  ASSERT_EQ(got, 2) << point.where;
  const bool emulated = code[0] == 0xe8 || code[0] == 0xe9 || code[0] == 0xeb ||
                        (code[0] & 0xf0) == 0x70 || (code[0] & 0xf8) == 0x50 ||
                        (code[0] == 0x41 && (code[1] & 0xf8) == 0x50) ||
                        (code[0] == 0x0f && (code[1] & 0xf0) == 0x80);
  EXPECT_TRUE(emulated) << point.where;
  const sonde_tls_probe& spec = point.spec;
  EXPECT_LT(spec.object.from, SONDE_REGISTER_COUNT);
  EXPECT_LT(spec.direction, SONDE_BOTH);
  EXPECT_EQ(spec.returned != SONDE_RETURNED_ALL, point.follows_return) << point.where;
  EXPECT_EQ(spec.retries, spec.direction == SONDE_SEND ? 1 : 0);
  EXPECT_FALSE(point.where.empty());
}

}  // namespace sonde::testing
