// SPDX-License-Identifier: Apache-2.0
#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "binary/elf.h"
#include "probes/tls/tls_libraries.h"
#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/tls.h"
#include "support/elf_image.h"

namespace sonde::probe {
namespace {

using sonde::testing::ElfImage;
using ::testing::HasSubstr;

constexpr char kTake[] = "_ZN6rustls12common_state11CommonState23take_received_plaintext17h8aE";
constexpr char kEarly[] =
    "_ZN6rustls6server11server_conn14EarlyDataState23take_received_plaintext17h9bE";
constexpr char kBuffer[] = "_ZN6rustls12common_state11CommonState16buffer_plaintext17hcfE";
constexpr char kSend[] = "_ZN6rustls12common_state11CommonState19send_some_plaintext17h4cE";
constexpr char kTakeV0[] =
    "_RNvMs5_NtCs9dKX_6rustls12common_stateNtB5_11CommonState23take_received_plaintext";
constexpr char kBufferV0[] =
    "_RNvMs6_NtCs9dKX_6rustls12common_stateNtB5_11CommonState16buffer_plaintext";

constexpr std::string_view kPush("\x41\x57\xc3", 3);                    // push r15; ret
constexpr std::string_view kFramed("\x48\x83\xec\x18\x41\x57\xc3", 7);  // sub rsp,24; push; ret
constexpr std::string_view kMoved("\x48\x89\xf7\x31\xf6\x41\x57\xc3",
                                  8);  // mov rdi,rsi; xor esi,esi

class Program {
 public:
  Program() {
    elf_.Append(".text", std::string(16, '\xcc') + std::string(kPush) + std::string(13, '\xcc') +
                             std::string(kFramed) + std::string(9, '\xcc') + std::string(kMoved));
  }
  Program& Rust() {
    elf_.Append(".comment", "rustc version 1.95.0");
    return *this;
  }
  Program& Paths() {
    elf_.Append(".rodata", "rustls-native-certs/src/crates.io-1/rustls-0.23.46/src/conn.rs");
    return *this;
  }
  Program& Push(const char* name) { return Has(name, 16, kPush.size()); }
  Program& Framed(const char* name) { return Has(name, 32, kFramed.size()); }
  Program& Moved(const char* name) { return Has(name, 48, kMoved.size()); }
  Result<TlsPlan> Resolve() {
    elf_.Append(".data", "data");
    const auto elf = binary::Elf::FromBytes(elf_.Make());
    if (!elf.ok()) return elf.status();
    return kRustls.resolve(**elf);
  }

 private:
  Program& Has(const char* name, uint64_t at, size_t size) {
    elf_.AddSymbol(name, ElfImage::kBase + ElfImage::kFirst + at, size);
    return *this;
  }

  ElfImage elf_;
};

std::string Why(const Result<TlsPlan>& plan) { return std::string(plan.status().message()); }

TEST(Rustls, TextIsSeenWhereTheConnectionTakesIt) {
  const auto plan = Program().Rust().Paths().Push(kEarly).Push(kTake).Push(kBuffer).Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->version, "rustls 0.23.46");
  EXPECT_EQ(plan->remark, "");
  ASSERT_EQ(plan->points.size(), 2);
  const TlsPoint& take = plan->points[0];
  EXPECT_EQ(take.file_offset, ElfImage::kFirst + 16);
  EXPECT_FALSE(take.follows_return);
  EXPECT_EQ(take.spec.direction, SONDE_RECEIVE);
  EXPECT_EQ(take.spec.object.from, SONDE_REGISTER_DI);
  EXPECT_EQ(take.spec.text.from, SONDE_REGISTER_SI);
  EXPECT_EQ(take.spec.text.memory, 1);
  EXPECT_EQ(take.spec.text.offset, 8);
  EXPECT_EQ(take.spec.length.offset, 16);
  EXPECT_EQ(take.spec.chunks, 0);
  EXPECT_EQ(take.spec.fd, SONDE_TLS_FD_NONE);
  EXPECT_EQ(take.spec.random, SONDE_NOWHERE);
  const TlsPoint& buffer = plan->points[1];
  EXPECT_TRUE(buffer.follows_return);
  EXPECT_EQ(buffer.spec.direction, SONDE_SEND);
  EXPECT_EQ(buffer.spec.returned, SONDE_RETURNED_VALUE);
  EXPECT_EQ(buffer.spec.chunks, 1);
}

TEST(Rustls, IsFoundInBothManglings) {
  const auto plan = Program().Rust().Push(kTakeV0).Push(kBufferV0).Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->points.size(), 2);
  EXPECT_EQ(plan->version, "");
}

TEST(Rustls, Until022WritesOneSlice) {
  const auto plan = Program().Rust().Paths().Push(kTake).Push(kSend).Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  const TlsPoint& send = plan->points.at(1);
  EXPECT_TRUE(send.follows_return);
  EXPECT_EQ(send.spec.text.memory, 0);
  EXPECT_EQ(send.spec.length.from, SONDE_REGISTER_DX);
  EXPECT_EQ(send.spec.chunks, 0);
}

TEST(Rustls, IsProbedAtTheFirstInstructionTheKernelEmulates) {
  const auto plan = Program().Rust().Framed(kTake).Push(kBuffer).Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->points[0].file_offset, ElfImage::kFirst + 32 + 4);
  EXPECT_EQ(plan->points[0].where, "CommonState::take_received_plaintext+0x4");
  EXPECT_THAT(Why(Program().Rust().Paths().Moved(kTake).Push(kBuffer).Resolve()),
              HasSubstr("where it could be probed"));
}

TEST(Rustls, ThatCannotBeSeenSaysWhy) {
  EXPECT_THAT(Why(Program().Rust().Paths().Resolve()), HasSubstr("stripped: rustls 0.23.46"));
  EXPECT_THAT(Why(Program().Rust().Paths().Push(kEarly).Push(kBuffer).Resolve()),
              HasSubstr("received text"));
  EXPECT_THAT(Why(Program().Rust().Paths().Push(kTake).Resolve()), HasSubstr("text to send"));
}

TEST(Rustls, IsNotFoundInOtherPrograms) {
  EXPECT_TRUE(absl::IsNotFound(Program().Push(kTake).Push(kBuffer).Resolve().status()));
  EXPECT_TRUE(absl::IsNotFound(Program().Rust().Push("main").Resolve().status()));
}

}  // namespace
}  // namespace sonde::probe
