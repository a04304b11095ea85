// SPDX-License-Identifier: Apache-2.0
// TLS libraries whose text cannot be seen: recognised, so that it is said by name. NOTES.md says
// what would be needed for each.
#include <absl/status/status.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "binary/elf.h"
#include "probes/tls/tls_libraries.h"
#include "sonde/base/result.h"
#include "sonde/probe/tls.h"

namespace sonde::probe {
namespace {

// The library defines both functions.
struct Sign {
  std::string_view functions[2];
  std::string_view reason;
};

constexpr Sign kJavaSign = {
    {"JNI_CreateJavaVM", "JNI_GetCreatedJavaVMs"},
    "Java's own TLS (JSSE) is Java code: its instructions are made at run time and are in no file; "
    "TLS of native libraries that Java loads is seen"};
constexpr Sign kNssSign = {
    {"SSL_ImportFD", "SSL_OptionSet"},
    "NSS passes text through tables of functions that it makes at run time, and exports nothing "
    "that leads from a connection to its socket or its random"};
constexpr Sign kMbedTlsSign = {
    {"mbedtls_ssl_write", "mbedtls_ssl_read"},
    "mbedTLS exports nothing that leads from a connection to its socket, and forgets the random "
    "after the handshake"};
constexpr Sign kWolfSslSign = {
    {"wolfSSL_write", "wolfSSL_read"},
    "wolfSSL forgets the random after the handshake, and where it keeps the descriptor differs "
    "with each configuration it is built with"};
constexpr Sign kLibreSslSign = {
    {"SSL_CTX_load_verify_mem", "SSL_write"},
    "LibreSSL's functions differ from OpenSSL's, and no build of it has been tried"};
constexpr Sign kS2nSign = {
    {"s2n_send", "s2n_recv"},
    "s2n exports nothing that leads from a connection to its random, and no build of it has been "
    "tried"};

template <const Sign& sign>
Result<TlsPlan> Resolve(const binary::Elf& elf) {
  const auto found = elf.FindAll({std::begin(sign.functions), std::end(sign.functions)});
  if (!std::ranges::all_of(found, [](const auto& symbol) { return symbol.has_value(); })) {
    return absl::NotFoundError("not defined here");
  }
  return absl::UnimplementedError(std::string(sign.reason));
}

}  // namespace

const TlsLibrary kJava = {.name = "java", .resolve = Resolve<kJavaSign>, .named_only = true};
const TlsLibrary kNss = {.name = "nss", .resolve = Resolve<kNssSign>, .named_only = true};
const TlsLibrary kMbedTls = {
    .name = "mbedtls", .resolve = Resolve<kMbedTlsSign>, .named_only = true};
const TlsLibrary kWolfSsl = {
    .name = "wolfssl", .resolve = Resolve<kWolfSslSign>, .named_only = true};
const TlsLibrary kLibreSsl = {
    .name = "libressl", .resolve = Resolve<kLibreSslSign>, .named_only = true};
const TlsLibrary kS2n = {.name = "s2n", .resolve = Resolve<kS2nSign>, .named_only = true};

}  // namespace sonde::probe
