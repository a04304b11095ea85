// SPDX-License-Identifier: Apache-2.0
// Libraries that can only be named, from files that define their functions and nothing else.
#include <absl/status/status.h>
#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "binary/elf.h"
#include "sonde/probe/tls.h"
#include "support/elf_image.h"
#include "unit/tls/real_file.h"

namespace sonde::probe {
namespace {

std::unique_ptr<binary::Elf> Defining(std::initializer_list<std::string_view> functions) {
  sonde::testing::ElfImage image;
  const auto text = image.Append(".text", "\xc3");
  image.Append(".rodata", "nothing");
  for (const std::string_view name : functions) image.AddSymbol(name, text, 1);
  auto elf = binary::Elf::FromBytes(image.Make());
  EXPECT_TRUE(elf.ok()) << elf.status();
  return elf.ok() ? *std::move(elf) : nullptr;
}

// The library that a file is taken for, and the reason.
std::string Verdict(const binary::Elf& elf) {
  for (const TlsLibrary* library : TlsLibraries()) {
    const auto plan = library->resolve(elf);
    if (absl::IsNotFound(plan.status())) continue;
    EXPECT_EQ(plan.status().code(), absl::StatusCode::kUnimplemented);
    EXPECT_GT(plan.status().message().size(), 20U) << "a reason that helps";
    return std::string(library->name);
  }
  return "";
}

struct Case {
  std::string_view name;
  std::array<std::string_view, 2> functions;
};

class UndecodedTest : public ::testing::TestWithParam<Case> {};

TEST_P(UndecodedTest, IsNamedByBothFunctionsOnly) {
  const auto& [name, functions] = GetParam();
  EXPECT_EQ(Verdict(*Defining({functions[0], functions[1]})), name);
  EXPECT_EQ(Verdict(*Defining({functions[0]})), "");
  EXPECT_EQ(Verdict(*Defining({functions[1]})), "");
}

INSTANTIATE_TEST_SUITE_P(
    Libraries, UndecodedTest,
    ::testing::Values(Case{"java", {"JNI_CreateJavaVM", "JNI_GetCreatedJavaVMs"}},
                      Case{"nss", {"SSL_ImportFD", "SSL_OptionSet"}},
                      Case{"mbedtls", {"mbedtls_ssl_write", "mbedtls_ssl_read"}},
                      Case{"wolfssl", {"wolfSSL_write", "wolfSSL_read"}},
                      Case{"libressl", {"SSL_CTX_load_verify_mem", "SSL_write"}},
                      Case{"s2n", {"s2n_send", "s2n_recv"}}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Undecoded, FilesOfThisMachine) {
  struct File {
    const char* path;
    const char* library;
  };
  for (const auto& [path, library] :
       {File{"/usr/lib/x86_64-linux-gnu/libssl3.so", "nss"},
        File{"/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so", "java"},
        File{"/usr/lib/jvm/java-17-openjdk-amd64/bin/java", ""},
        File{"/usr/lib/x86_64-linux-gnu/libnspr4.so", ""}, File{"/proc/self/exe", ""}}) {
    const auto elf = sonde::testing::OpenFile(path);
    if (elf == nullptr) continue;
    EXPECT_EQ(Verdict(*elf), library) << path;
  }
}

}  // namespace
}  // namespace sonde::probe
