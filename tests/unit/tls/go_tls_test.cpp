// SPDX-License-Identifier: Apache-2.0
// Code is assembled here as Go's compiler has it, less what the resolver does not look at.
#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "binary/elf.h"
#include "probes/tls/tls_libraries.h"
#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/tls.h"
#include "support/go_image.h"

namespace sonde::probe {
namespace {

using sonde::testing::GoImage;
using sonde::testing::GoImageOptions;
using ::testing::HasSubstr;

constexpr std::string_view kPushFrame("\x55\x48\x89\xe5\x48\x83\xec\x58",
                                      8);                             // push rbp; sub rsp,0x58
constexpr std::string_view kSaveReceiver("\x48\x89\x44\x24\x68", 5);  // mov [rsp+0x68],rax
constexpr std::string_view kLoadBuffer("\x48\x8b\x44\x24\x70", 5);    // mov rax,[rsp+0x70]
constexpr std::string_view kLoadOther("\x48\x8b\x44\x24\x30", 5);     // mov rax,[rsp+0x30]
constexpr std::string_view kReturn("\xc3", 1);

std::string Text(absl::string_view text) { return std::string(text); }

// Code that calls things, assembled when its address is known.
class Code {
 public:
  Code& Add(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  Code& Call(uint64_t target) {
    const auto distance = static_cast<int32_t>(target - (start_ + bytes_.size() + 5));
    bytes_ += '\xe8';
    bytes_.append(reinterpret_cast<const char*>(&distance), sizeof(distance));
    return *this;
  }
  explicit Code(uint64_t start) : start_(start) {}
  const std::string& bytes() const { return bytes_; }

 private:
  uint64_t start_;
  std::string bytes_;
};

// A program whose functions but Conn.Read are as they should be.
class Program {
 public:
  explicit Program(const GoImageOptions& options = {}) : image_(options) {
    move = image_.Add("runtime.memmove", kReturn);
    reader = image_.Add("bytes.(*Reader).Read", kReturn);
    record = image_.Add("crypto/tls.(*Conn).writeRecordLocked", kReturn);
    write = image_.End();
    image_.Add("crypto/tls.(*Conn).Write",
               Code(write).Add(kPushFrame).Call(move).Call(record).Add(kReturn).bytes());
    read = image_.End();
  }
  Result<TlsPlan> ResolveWith(const Code& code) {
    image_.Add("crypto/tls.(*Conn).Read", code.bytes());
    return Resolve();
  }
  Result<TlsPlan> Resolve() const {
    const auto elf = binary::Elf::FromBytes(image_.Make());
    if (!elf.ok()) return elf.status();
    return kGoTls.resolve(**elf);
  }

  uint64_t move, reader, record, write, read;

 private:
  GoImage image_;
};

TEST(GoTls, ReadsAreTheCopyToTheCallersBuffer) {
  Program program({.version = "go1.26.8"});
  const auto plan = program.ResolveWith(Code(program.read)
                                            .Add(kPushFrame)
                                            .Add(kSaveReceiver)
                                            .Add(kLoadOther)
                                            .Call(program.move)
                                            .Add(kLoadBuffer)
                                            .Call(program.move)
                                            .Add(kReturn));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->version, "go1.26.8");
  EXPECT_EQ(plan->remark, "");
  ASSERT_EQ(plan->points.size(), 2);
  const TlsPoint& point = plan->points[0];
  EXPECT_EQ(point.where, "crypto/tls.(*Conn).Read+0x1c");
  EXPECT_EQ(point.file_offset, program.read + 0x1c - GoImage::kBase);
  EXPECT_FALSE(point.follows_return);
  EXPECT_EQ(point.spec.direction, SONDE_RECEIVE);
  EXPECT_EQ(point.spec.object.from, SONDE_REGISTER_SP);
  EXPECT_EQ(point.spec.object.memory, 1);
  EXPECT_EQ(point.spec.object.offset, 0x68);
  EXPECT_EQ(point.spec.text.from, SONDE_REGISTER_BX);
  EXPECT_EQ(point.spec.length.from, SONDE_REGISTER_CX);
  EXPECT_EQ(point.spec.fd, SONDE_TLS_FD_GO);
  EXPECT_EQ(point.spec.random, SONDE_NOWHERE);
  EXPECT_EQ(point.spec.source, SONDE_SOURCE_GO_TLS);
}

TEST(GoTls, WritesAreTheCallThatEncrypts) {
  Program program;
  const auto plan = program.ResolveWith(
      Code(program.read).Add(kPushFrame).Add(kSaveReceiver).Add(kLoadBuffer).Call(program.move));
  ASSERT_TRUE(plan.ok()) << plan.status();
  const TlsPoint& point = plan->points.at(1);
  EXPECT_EQ(point.where, "crypto/tls.(*Conn).Write+0xd");
  EXPECT_EQ(point.spec.direction, SONDE_SEND);
  EXPECT_EQ(point.spec.object.from, SONDE_REGISTER_AX);
  EXPECT_EQ(point.spec.object.memory, 0);
  EXPECT_EQ(point.spec.text.from, SONDE_REGISTER_CX);
  EXPECT_EQ(point.spec.length.from, SONDE_REGISTER_DI);
  EXPECT_EQ(point.spec.returned, SONDE_RETURNED_ALL);
}

TEST(GoTls, ThatCannotBeSeenSaysWhy) {
  {
    Program stack;
    EXPECT_THAT(Text(stack.ResolveWith(Code(stack.read).Add(kPushFrame).Call(stack.move))
                         .status()
                         .message()),
                HasSubstr("arguments on the stack"));
  }
  {
    Program unoptimised;
    EXPECT_THAT(Text(unoptimised
                         .ResolveWith(Code(unoptimised.read)
                                          .Add(kPushFrame)
                                          .Add(kSaveReceiver)
                                          .Add(kLoadBuffer)
                                          .Call(unoptimised.reader))
                         .status()
                         .message()),
                HasSubstr("without inlining"));
  }
  {
    Program other;
    const auto plan = other.ResolveWith(
        Code(other.read).Add(kPushFrame).Add(kSaveReceiver).Add(kLoadOther).Call(other.move));
    EXPECT_FALSE(absl::IsNotFound(plan.status()));
    EXPECT_THAT(Text(plan.status().message()), HasSubstr("in an unknown way"));
  }
}

TEST(GoTls, IsNotFoundInAProgramWithoutIt) {
  EXPECT_TRUE(absl::IsNotFound(Program().Resolve().status()));
  GoImage image;
  image.Add("main.main", kReturn);
  const auto elf = binary::Elf::FromBytes(image.Make());
  ASSERT_TRUE(elf.ok()) << elf.status();
  EXPECT_TRUE(absl::IsNotFound(kGoTls.resolve(**elf).status()));
}

}  // namespace
}  // namespace sonde::probe
