// SPDX-License-Identifier: Apache-2.0
// OpenSSL 1.1.0 to 4.0, shared or linked in, with or without the symbols of its inner functions.
// Offsets and places are read from the code of the very file; NOTES.md says how, and what was
// tried.
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "binary/elf.h"
#include "binary/flow.h"
#include "binary/registers.h"
#include "binary/sites.h"
#include "probes/tls/points.h"
#include "probes/tls/tls_libraries.h"
#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/base/processor.h"
#include "sonde/base/result.h"
#include "sonde/probe/tls.h"

namespace sonde::probe {
namespace {

using binary::Elf;
using binary::Symbol;

constexpr uint8_t kObject = binary::kArguments[0];  // SSL *
constexpr uint8_t kText = binary::kArguments[1];
constexpr uint8_t kLength = binary::kArguments[2];
constexpr uint8_t kCount = binary::kArguments[3];  // size_t *, where it is the fourth argument

// ssl3_read_bytes(s, type, recvd_type, buf, len, peek, readbytes)
constexpr uint8_t kReadType = binary::kArguments[1];
constexpr uint8_t kReadTo = binary::kArguments[3];
constexpr uint8_t kReadPeek = binary::kArguments[5];
constexpr int64_t kApplicationData = 23;
constexpr int64_t kHandshake = 22;

// A record holds so much: a longer text may be accepted in part.
constexpr uint32_t kRecordBytes = 16384;

// Where ssl_read_bytes is in struct ssl_method_st, which TLS_method returns the address of.
constexpr uint64_t kReadBytesSlot = 0x68;
constexpr uint64_t kReadBytesSlot32 = 0x80;  // 3.2 and later

struct Symbols {
  Symbol read, write;
  std::optional<Symbol> read_ex, write_ex, tls_method, in_init, client_random, get_rbio, get_wbio,
      bio_type, bio_data, read_bytes, is_server;
  bool found = false;  // read and write, and more of the library
  bool since_3_0 = false;
  bool since_3_2 = false;
};

Symbols FindSymbols(const Elf& elf) {
  const auto found =
      elf.FindAll({"SSL_read", "SSL_write", "SSL_read_ex", "SSL_write_ex", "SSL_CTX_new",
                   "TLS_method", "SSL_in_init", "SSL_get_client_random", "SSL_get_rbio",
                   "SSL_get_wbio", "BIO_method_type", "BIO_get_data", "ssl3_read_bytes",
                   // In OpenSSL, but neither in BoringSSL nor in LibreSSL: exported, and inner.
                   "SSL_CONF_cmd", "ossl_statem_accept",
                   // Since 3.0, since 3.2: exported, and inner.
                   "SSL_get1_peer_certificate", "SSL_new_stream",
                   "ossl_quic_obj_get0_handshake_layer", "SSL_is_server"});
  Symbols symbols;
  symbols.read = found[0].value_or(Symbol{});
  symbols.write = found[1].value_or(Symbol{});
  symbols.read_ex = found[2];
  symbols.write_ex = found[3];
  symbols.tls_method = found[5];
  symbols.in_init = found[6];
  symbols.client_random = found[7];
  symbols.get_rbio = found[8];
  symbols.get_wbio = found[9];
  symbols.bio_type = found[10];
  symbols.bio_data = found[11];
  symbols.read_bytes = found[12];
  symbols.found = found[0] && found[1] && found[4] && (found[13] || found[14]);
  symbols.is_server = found[18];
  symbols.since_3_2 = found[16] || found[17];
  symbols.since_3_0 = found[15] || symbols.since_3_2;
  return symbols;
}

// Since 3.2 an SSL begins with what it is; 0: TLS over one connection, not QUIC.
binary::Assumptions Plain(const Symbols& symbols) {
  binary::Assumptions assumptions;
  if (symbols.since_3_2) assumptions.leads_to_zero = kObject;
  return assumptions;
}

sonde_place In(uint8_t reg) {
  sonde_place place{};
  place.from = reg;
  return place;
}

// What leads from the object to its connection, the same at every point of a direction.
void DescribeObject(const Elf& elf, const Symbols& symbols, sonde_tls_probe& spec) {
  if (symbols.is_server) {
    spec.server = binary::FirstField(elf, symbols.is_server->address, sizeof(uint32_t),
                                     sizeof(uint64_t), Plain(symbols))
                      .value_or(SONDE_NOWHERE);
  }
  if (symbols.client_random) {
    const auto random = binary::CopiedField(elf, symbols.client_random->address, Plain(symbols));
    if (random) {
      spec.random = random->offset;
      spec.random_pointer = random->pointer;
    }
  }
  const auto field = [&](const std::optional<Symbol>& accessor) {
    return accessor ? binary::ReturnedField(elf, accessor->address, Plain(symbols)) : std::nullopt;
  };
  const auto rbio = field(symbols.get_rbio);
  const auto wbio = field(symbols.get_wbio);
  if (spec.direction == SONDE_RECEIVE) {
    spec.bio = rbio.value_or(SONDE_NOWHERE);
  } else if (wbio || rbio) {  // the fields are neighbours in every version
    spec.bio = wbio ? *wbio : *rbio + static_cast<int32_t>(sizeof(uint64_t));
  }
  // libcrypto's: its accessors if it is the same file. Else as they are laid out there (checked in
  // 1.1.1, 3.0, 3.5, 3.6 and 4.0): 3.0 put a pointer before the method.
  spec.bio_method = symbols.since_3_0 ? 0x8 : 0x0;
  spec.bio_fd = symbols.since_3_0 ? 0x38 : 0x30;
  if (symbols.bio_type && symbols.bio_data) {
    const auto method = binary::FirstField(elf, symbols.bio_type->address, sizeof(uint64_t), 0, {});
    const auto data = binary::ReturnedField(elf, symbols.bio_data->address, {});
    spec.bio_method = method.value_or(SONDE_NOWHERE);
    // `num` stands just before `ptr`, which BIO_get_data returns.
    spec.bio_fd = data ? *data - static_cast<int32_t>(sizeof(uint64_t)) : SONDE_NOWHERE;
  }
  const bool known =
      spec.bio != SONDE_NOWHERE && spec.bio_method != SONDE_NOWHERE && spec.bio_fd != SONDE_NOWHERE;
  spec.fd = known ? SONDE_TLS_FD_BIO : SONDE_TLS_FD_NONE;
}

sonde_tls_probe Spec(const Elf& elf, const Symbols& symbols, sonde_direction direction) {
  sonde_tls_probe spec = UndescribedTlsProbe(SONDE_SOURCE_OPENSSL, direction);
  spec.object = In(kObject);
  spec.text = In(kText);
  spec.length = In(kLength);
  DescribeObject(elf, symbols, spec);
  return spec;
}

// The int of an SSL that is not 0 during a handshake. At 0 stands what kind of object it is.
int32_t InInit(const Elf& elf, const Symbols& symbols) {
  if (!symbols.in_init) return SONDE_NOWHERE;
  return binary::FirstField(elf, symbols.in_init->address, sizeof(uint32_t), sizeof(uint64_t),
                            Plain(symbols))
      .value_or(SONDE_NOWHERE);
}

std::optional<uint64_t> ReadBytes(const Elf& elf, const Symbols& symbols) {
  if (symbols.read_bytes) return symbols.read_bytes->address;
  if (!symbols.tls_method) return std::nullopt;
  const auto table = binary::ReturnedNumber(elf, symbols.tls_method->address);
  if (!table) return std::nullopt;
  return elf.Pointer(*table + (symbols.since_3_2 ? kReadBytesSlot32 : kReadBytesSlot));
}

bool Among(const std::vector<binary::CopySite>& sites, const binary::CopySite& site) {
  return std::ranges::any_of(
      sites, [&](const binary::CopySite& other) { return other.address == site.address; });
}

// What is copied for SSL_peek comes again: left out, where the compiler did not do so by a copy of
// its own.
bool LeaveOutPeek(const Elf& elf, const binary::CopySearch& search, uint64_t site,
                  sonde_tls_probe& spec) {
  const auto peek = binary::PlaceOfInt(elf, search, kReadPeek, site);
  if (!peek) return false;
  spec.unless = *peek;
  spec.has_unless = 1;
  return true;
}

// The copies of decrypted application data to the caller: one hit per read, none if nothing came.
bool AddCopySites(const Elf& elf, const Symbols& symbols, TlsPlan& plan) {
  const auto function = ReadBytes(elf, symbols);
  if (!function) return false;
  const auto search = [&](int64_t type, std::optional<int64_t> peek) {
    binary::CopySearch copies{*function, kObject, kReadTo, Plain(symbols)};
    copies.assumptions.numbers = {{kReadType, type}};
    if (peek) copies.assumptions.numbers.push_back({kReadPeek, *peek});
    return copies;
  };
  const auto sites = binary::CopySites(elf, search(kApplicationData, 0));
  const auto peeks = binary::CopySites(elf, search(kApplicationData, 1));
  const auto handshakes = binary::CopySites(elf, search(kHandshake, 0));
  for (const binary::CopySite& site : sites) {
    TlsPoint point;
    point.spec = Spec(elf, symbols, SONDE_RECEIVE);
    point.spec.object = site.object;
    // A site that messages of the handshake pass, too, must ask whether there is one.
    if (Among(handshakes, site)) point.spec.handshake = InInit(elf, symbols);
    if (Among(peeks, site) &&
        !LeaveOutPeek(elf, search(kApplicationData, std::nullopt), site.address, point.spec)) {
      plan.remark = "what SSL_peek shows is seen twice";
    }
    if (!AddPoint(elf, *function, "ssl3_read_bytes", site.address, point, plan)) return false;
  }
  return !sites.empty();
}

// An entry that is followed to its return: SSL_read and the like, or what they call.
struct Entry {
  uint64_t function = 0;
  std::string_view name;
  uint8_t returned = SONDE_RETURNED_COUNT;
  uint8_t count = kCount;
};

bool AddEntry(const Elf& elf, const Symbols& symbols, const Entry& entry, sonde_direction direction,
              TlsPlan& plan) {
  const bool counts = entry.returned == SONDE_RETURNED_COUNT;
  const auto address =
      counts ? binary::CheapEntry(elf, entry.function, {kObject, kText, kLength, entry.count}, true)
             : binary::CheapEntry(elf, entry.function, {kObject, kText, kLength}, true);
  if (!address) return false;
  TlsPoint point;
  point.follows_return = true;
  point.spec = Spec(elf, symbols, direction);
  point.spec.returned = entry.returned;
  if (counts) {
    point.spec.count = In(entry.count);
  } else {
    point.spec.length.narrow = 1;  // int
  }
  if (direction == SONDE_SEND) {
    point.spec.entire = kRecordBytes;
    point.spec.unready = InInit(elf, symbols);
    point.spec.retries = 1;
  }
  return AddPoint(elf, entry.function, entry.name, *address, point, plan);
}

// Below SSL_write and SSL_write_ex, or SSL_read and SSL_read_ex, is one function if the compiler
// left it one; else both are probed.
bool AddEntries(const Elf& elf, const Symbols& symbols, sonde_direction direction, TlsPlan& plan) {
  const bool sends = direction == SONDE_SEND;
  const Symbol& plain = sends ? symbols.write : symbols.read;
  const auto& counting = sends ? symbols.write_ex : symbols.read_ex;
  if (counting) {
    const auto inner = binary::SharedCallee(elf, plain.address, counting->address);
    const std::string_view name = sends ? "ssl_write_internal" : "ssl_read_internal";
    if (inner && inner->count &&
        AddEntry(elf, symbols, {inner->address, name, SONDE_RETURNED_COUNT, *inner->count},
                 direction, plan)) {
      return true;
    }
  }
  const size_t before = plan.points.size();
  const bool added =
      AddEntry(elf, symbols,
               {plain.address, sends ? "SSL_write" : "SSL_read", SONDE_RETURNED_VALUE, 0},
               direction, plan) &&
      (!counting || AddEntry(elf, symbols,
                             {counting->address, sends ? "SSL_write_ex" : "SSL_read_ex",
                              SONDE_RETURNED_COUNT, kCount},
                             direction, plan));
  if (!added) plan.points.resize(before);
  return added;
}

std::string Version(const Elf& elf, const Symbols& symbols) {
  if (symbols.bio_type) {  // libcrypto, which has the text, is in the file, too
    std::string text = elf.FindVersion("OpenSSL ");
    if (!text.empty()) return text;
  }
  if (symbols.since_3_2) return "OpenSSL 3.2 or later";
  return symbols.since_3_0 ? "OpenSSL 3.0 or 3.1" : "OpenSSL 1.1";
}

Result<TlsPlan> Resolve(const Elf& elf) {
  const Symbols symbols = FindSymbols(elf);
  if (!symbols.found) {
    return absl::NotFoundError("no OpenSSL");
  }
  if (!symbols.tls_method) return absl::UnimplementedError("it is OpenSSL before 1.1.0");
  TlsPlan plan;
  plan.version = Version(elf, symbols);
  if (!AddCopySites(elf, symbols, plan)) {
    plan.points.clear();
    if (!AddEntries(elf, symbols, SONDE_RECEIVE, plan)) {
      return absl::UnimplementedError(
          absl::StrCat("no instruction of its reads (", plan.version, ") can be probed cheaply"));
    }
    plan.remark =
        "reads are followed to their return, at three times the price: where decrypted "
        "text is copied was not found in ssl3_read_bytes";
  }
  if (!AddEntries(elf, symbols, SONDE_SEND, plan)) {
    return absl::UnimplementedError(
        absl::StrCat("no instruction of its writes (", plan.version, ") can be probed cheaply"));
  }
  return plan;
}

constexpr std::string_view kFileNames[] = {"libssl.so.*"};
constexpr std::string_view kPackaged[] = {"*.libs/libssl*.so*",  // as auditwheel names it
                                          "cryptography/hazmat/bindings/_rust*.so"};

}  // namespace

const TlsLibrary kOpenSsl = {.name = "openssl",
                             .resolve = Resolve,
                             .processors = Processors::kX86AndArm64,
                             .file_names = kFileNames,
                             .packaged = kPackaged};

}  // namespace sonde::probe
