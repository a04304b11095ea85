// SPDX-License-Identifier: Apache-2.0
// BoringSSL, which is always linked in: by its symbols, or in a stripped file by the shape of the
// functions of ssl_lib.cc, which name that file in their errors. NOTES.md says what was tried.
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "binary/code.h"
#include "binary/elf.h"
#include "binary/flow.h"
#include "binary/registers.h"
#include "binary/sites.h"
#include "probes/tls/points.h"
#include "probes/tls/tls_libraries.h"
#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/tls.h"

namespace sonde::probe {
namespace {

using binary::Elf;
using binary::Instruction;
using binary::Machine;
using binary::Operand;
using binary::Operation;
using binary::Value;
using Kind = binary::Value::Kind;

// SSL_read(ssl, buf, num), SSL_write(ssl, buf, num)
constexpr uint8_t kObject = binary::kArguments[0];
constexpr uint8_t kText = binary::kArguments[1];
constexpr uint8_t kLength = binary::kArguments[2];

constexpr uint32_t kRecordBytes = 16384;
// Functions that name ssl_lib.cc: 46 as a rule.
constexpr size_t kMinFunctions = 8;
constexpr size_t kMaxFunctions = 256;

// SSL3_STATE begins with two sequence numbers and the server's random.
constexpr int32_t kRandomInState = 0x30;
constexpr int64_t kRandomBytes = 32;

struct Library {
  uint64_t read = 0;
  std::optional<uint64_t> peek;  // or what SSL_read calls, if it does not copy itself
  uint64_t write = 0;
  binary::FieldPath random{SONDE_NOWHERE, SONDE_NOWHERE};
};

// What a function does that tells SSL_read, SSL_peek and SSL_write from the others of ssl_lib.cc.
struct Shape {
  bool copies_to_text = false;         // memcpy(buf, ...)
  std::optional<int64_t> state;        // then moves on in what it copied from: *(ssl + state)
  bool passes_text_to_method = false;  // ssl->method->write_app_data(ssl, &..., ..., buf, ...)
};

bool WritesMemory(const Instruction& instruction) {
  const bool writes = instruction.operation == Operation::kMove ||
                      instruction.operation == Operation::kAdd ||
                      instruction.operation == Operation::kSubtract;
  return writes && instruction.destination.kind == Operand::Kind::kMemory &&
         instruction.destination.bytes == sizeof(uint64_t);
}

Shape ShapeOf(const Elf& elf, uint64_t function) {
  Shape shape;
  binary::Follow(elf, function, {}, [&](const Instruction& instruction, const Machine& machine) {
    const auto& at = machine.registers;
    const Value text = Value::Input(kText);
    if (binary::CallsCopy(elf, instruction)) {
      shape.copies_to_text = shape.copies_to_text || at[binary::kArguments[0]] == text;
    } else if (instruction.operation == Operation::kCall && !instruction.target()) {
      const bool to_method = at[binary::kArguments[0]] == Value::Input(kObject) &&
                             at[binary::kArguments[1]].FromInput(binary::kStackPointer);
      // The text was the third argument until 2022, as a span it is the fourth.
      const bool with_text = at[binary::kArguments[3]] == text || at[binary::kArguments[2]] == text;
      shape.passes_text_to_method = shape.passes_text_to_method || (to_method && with_text);
    } else if (shape.copies_to_text && !shape.state && WritesMemory(instruction)) {
      const Value address = machine.Address(instruction.destination);
      if (address.kind == Kind::kLoaded && address.input == kObject) shape.state = address.pointer;
    }
  });
  return shape;
}

bool IsNumber(const Operand& operand, int64_t number) {
  return operand.kind == Operand::Kind::kNumber && operand.value == number;
}

// Takes the address of what is at the random's offset from some register, or reads bytes there.
bool MayTakeRandom(const Instruction& instruction) {
  const Operand& from = instruction.source;
  const bool takes = instruction.operation == Operation::kLoadAddress ||
                     (instruction.operation == Operation::kMove && from.bytes == 1);
  return takes && from.kind == Operand::Kind::kMemory && from.base != Operand::kNoRegister &&
         from.value == kRandomInState;
}

// Whether a function deals with 32 bytes at the random's offset in the state of its first argument.
bool TakesRandom(const Elf& elf, uint64_t function, int64_t state) {
  const auto code = binary::DisassembleFunction(elf, function);
  const bool sized = std::ranges::any_of(
      code, [](const Instruction& each) { return IsNumber(each.source, kRandomBytes); });
  if (!sized || std::ranges::none_of(code, MayTakeRandom)) return false;
  bool found = false;
  const Value at_state{Kind::kLoaded, kObject, state, 0};
  binary::Follow(elf, function, {}, [&](const Instruction& instruction, const Machine& machine) {
    found = found ||
            (MayTakeRandom(instruction) && machine.registers[instruction.source.base] == at_state);
  });
  return found;
}

// ssl_log_secret, of the same source file, writes the client random.
bool HasRandom(const Elf& elf, const std::vector<uint64_t>& functions, int64_t state) {
  constexpr uint64_t kFar = 32U << 10;    // a part that was split off and lies elsewhere
  constexpr uint64_t kBefore = 8U << 10;  // it may come before the first function that is known
  const auto& starts = elf.FunctionStarts();
  for (size_t i = 0; i < functions.size(); ++i) {
    const uint64_t before = i == 0 ? functions[0] - kBefore : functions[i - 1];
    if (functions[i] - before > kFar) continue;
    auto at = std::ranges::lower_bound(starts, before);
    for (; at != starts.end() && *at < functions[i]; ++at) {
      if (TakesRandom(elf, *at, state)) return true;
    }
  }
  return false;
}

Result<Library> FindByShape(const Elf& elf) {
  // OpenSSL's is ssl_lib.c.
  const auto text = elf.FindString("/ssl/ssl_lib.cc", true);
  if (!text) return absl::NotFoundError("no BoringSSL");
  const auto functions = binary::FunctionsThatName(elf, *text, kMaxFunctions);
  if (functions.size() < kMinFunctions) {
    return absl::NotFoundError("BoringSSL is named, but not there");  // as in sonde itself
  }
  Library library;
  std::optional<int64_t> state;
  size_t writers = 0;
  size_t readers = 0;
  for (const uint64_t function : functions) {
    const Shape shape = ShapeOf(elf, function);
    if (shape.passes_text_to_method) {
      library.write = function;
      ++writers;
    } else if (shape.state) {
      library.read = function;
      state = shape.state;
      ++readers;
    } else if (shape.copies_to_text) {
      library.peek = function;
    }
  }
  if (writers != 1 || readers != 1 || !state) {
    return absl::UnimplementedError(
        absl::StrCat("it is stripped, and of the functions of BoringSSL's ssl_lib.cc ", readers,
                     " look like SSL_read, ", writers, " like SSL_write"));
  }
  if (HasRandom(elf, functions, *state)) {
    library.random = {static_cast<int32_t>(*state), kRandomInState};
  }
  return library;
}

Result<Library> Find(const Elf& elf) {
  const auto found =
      elf.FindAll({"SSL_read", "SSL_peek", "SSL_write", "SSL_get_client_random",
                   // BoringSSL's alone; the others are OpenSSL's.
                   "SSL_CTX_set_custom_verify", "SSL_set_custom_verify",
                   "SSL_CTX_set_grease_enabled", "SSL_CONF_cmd", "ossl_statem_accept"});
  const bool boring = found[4] || found[5] || found[6];
  const bool openssl = found[7] || found[8];
  const auto& [read, peek, write, client_random] = std::tie(found[0], found[1], found[2], found[3]);
  if (!read || !write || !boring || openssl) return FindByShape(elf);
  Library library;
  library.read = read->address;
  library.write = write->address;
  if (peek) library.peek = peek->address;
  const auto random =
      client_random ? binary::CopiedField(elf, client_random->address, {}) : std::nullopt;
  if (random) library.random = *random;
  return library;
}

sonde_tls_probe Spec(const Library& library, sonde_direction direction) {
  sonde_tls_probe spec = UndescribedTlsProbe(SONDE_SOURCE_BORINGSSL, direction);
  spec.object.from = kObject;
  spec.text.from = kText;
  spec.length.from = kLength;
  spec.random = library.random.offset;
  spec.random_pointer = library.random.pointer;
  // Its users bring BIOs of their own, which have no descriptor.
  spec.fd = SONDE_TLS_FD_NONE;
  return spec;
}

// SSL_read returns how much of the text's room it used, SSL_write how much of it was taken.
bool AddEntry(const Elf& elf, const Library& library, sonde_direction direction, TlsPlan& plan) {
  const bool sends = direction == SONDE_SEND;
  const uint64_t function = sends ? library.write : library.read;
  const auto address = binary::CheapEntry(elf, function, {kObject, kText, kLength}, true);
  if (!address) return false;
  TlsPoint point;
  point.follows_return = true;
  point.spec = Spec(library, direction);
  point.spec.length.narrow = 1;
  point.spec.returned = SONDE_RETURNED_VALUE;
  point.spec.entire = sends ? kRecordBytes : 0;
  point.spec.retries = sends ? 1 : 0;
  return AddPoint(elf, function, sends ? "SSL_write" : "SSL_read", *address, point, plan);
}

bool AddCopySites(const Elf& elf, const Library& library, TlsPlan& plan) {
  for (const auto& [function, name] :
       {std::pair(std::optional(library.read), "SSL_read"), std::pair(library.peek, "SSL_peek")}) {
    if (!function) continue;
    const auto sites = binary::CopySites(elf, {*function, kObject, kText, {}});
    for (const binary::CopySite& site : sites) {
      TlsPoint point;
      point.spec = Spec(library, SONDE_RECEIVE);
      point.spec.object = site.object;
      if (!AddPoint(elf, *function, name, site.address, point, plan)) return false;
    }
    if (!sites.empty()) return true;
  }
  return false;
}

Result<TlsPlan> Resolve(const Elf& elf) {
  const auto library = Find(elf);
  if (!library.ok()) return library.status();
  TlsPlan plan;
  plan.version = "BoringSSL";
  if (!AddCopySites(elf, *library, plan)) {
    plan.points.clear();
    if (!AddEntry(elf, *library, SONDE_RECEIVE, plan)) {
      return absl::UnimplementedError("no instruction of BoringSSL's reads can be probed cheaply");
    }
    plan.remark =
        "reads are followed to their return, at three times the price: SSL_read has no "
        "call that copies the text";
  }
  if (!AddEntry(elf, *library, SONDE_SEND, plan)) {
    return absl::UnimplementedError("no instruction of BoringSSL's writes can be probed cheaply");
  }
  if (library->random.offset == SONDE_NOWHERE) {
    plan.remark +=
        absl::StrCat(plan.remark.empty() ? "" : "; ",
                     "its connections are told by threads and record lengths only: where "
                     "the client random is was not found");
  }
  return plan;
}

constexpr std::string_view kPackaged[] = {"grpc/_cython/cygrpc*.so", "curl_cffi/_wrapper*.so"};

}  // namespace

const TlsLibrary kBoringSsl = {.name = "boringssl", .resolve = Resolve, .packaged = kPackaged};

}  // namespace sonde::probe
