// SPDX-License-Identifier: Apache-2.0
// GnuTLS, a shared library with its exports only. NOTES.md says what was tried.
#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
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
using binary::Symbol;
using binary::Value;
using Kind = binary::Value::Kind;

// gnutls_record_send2(session, data, data_size, pad, flags)
// gnutls_record_recv(session, data, data_size)
constexpr uint8_t kObject = binary::kArguments[0];
constexpr uint8_t kText = binary::kArguments[1];
constexpr uint8_t kLength = binary::kArguments[2];

constexpr uint32_t kRecordBytes = 16384;
constexpr int64_t kChangeCipherSpec = 20;
// Of handshake_final_state while that message is awaited (STATE30).
constexpr int64_t kAwaited = 30;
constexpr size_t kMaxCallers = 64;

struct Symbols {
  Symbol recv;
  Symbol send;  // gnutls_record_send2 since 3.6, which gnutls_record_send jumps to
  std::string_view send_name;
  std::optional<Symbol> cork, random;
};

sonde_tls_probe Spec(const Elf& elf, const Symbols& symbols, sonde_direction direction) {
  sonde_tls_probe spec = UndescribedTlsProbe(SONDE_SOURCE_GNUTLS, direction);
  spec.object.from = kObject;
  spec.text.from = kText;
  spec.length.from = kLength;
  spec.fd = SONDE_TLS_FD_NONE;
  const auto random =
      symbols.random ? binary::CopiedField(elf, symbols.random->address, {}) : std::nullopt;
  if (random) {
    spec.random = random->offset;
    spec.random_pointer = random->pointer;
  }
  return spec;
}

// The int of a session that a function sets to `number`.
std::optional<int32_t> FieldSetTo(const Elf& elf, uint64_t function, int64_t number) {
  std::optional<int32_t> field;
  binary::Follow(elf, function, {}, [&](const Instruction& instruction, const Machine& machine) {
    const Operand& to = instruction.destination;
    if (instruction.operation != Operation::kMove || to.kind != Operand::Kind::kMemory ||
        to.bytes != sizeof(int32_t) || machine.Read(instruction.source) != Value::Number(number)) {
      return;
    }
    const Value address = machine.Address(to);
    if (!field && address.kind == Kind::kInput && address.input == kObject && address.offset > 0) {
      field = static_cast<int32_t>(address.offset);
    }
  });
  return field;
}

// Before TLS 1.3 the message that changes ciphers is received as application data is, by the same
// function under another number. Who calls it so keeps an int at STATE30 meanwhile.
std::optional<int32_t> HandshakeField(const Elf& elf, uint64_t receive) {
  for (const uint64_t caller : binary::FunctionsThatCall(elf, receive, kMaxCallers)) {
    bool awaits = false;
    binary::Follow(elf, caller, {}, [&](const Instruction& instruction, const Machine& machine) {
      awaits =
          awaits || (instruction.operation == Operation::kCall && instruction.target() == receive &&
                     machine.registers[binary::kArguments[1]] == Value::Number(kChangeCipherSpec));
    });
    if (awaits) return FieldSetTo(elf, caller, kAwaited);
  }
  return std::nullopt;
}

// What gnutls_record_recv leaves the work to: (session, type = 23, data, data_size, ...).
std::optional<uint64_t> Receive(const Elf& elf, uint64_t recv) {
  std::optional<uint64_t> receive;
  constexpr int64_t kApplicationData = 23;
  binary::Follow(elf, recv, {}, [&](const Instruction& instruction, const Machine& machine) {
    const auto& at = machine.registers;
    const bool passes = at[binary::kArguments[0]] == Value::Input(kObject) &&
                        at[binary::kArguments[1]] == Value::Number(kApplicationData) &&
                        at[binary::kArguments[2]] == Value::Input(kText);
    // The call before it is to kernel TLS; the last is the one that decrypts here.
    if (passes && instruction.target() &&
        (instruction.operation == Operation::kJump || instruction.operation == Operation::kCall)) {
      receive = instruction.target();
    }
  });
  return receive;
}

bool AddReads(const Elf& elf, const Symbols& symbols, TlsPlan& plan) {
  const auto receive = Receive(elf, symbols.recv.address);
  if (!receive) return false;
  const auto found = binary::CopySitesBelow(
      elf, {*receive, kObject, binary::kArguments[2], {{{binary::kArguments[1], 23}}, {}}});
  const auto handshake = HandshakeField(elf, *receive);
  for (const binary::CopySite& site : found.sites) {
    TlsPoint point;
    point.spec = Spec(elf, symbols, SONDE_RECEIVE);
    point.spec.object = site.object;
    point.spec.handshake = handshake.value_or(SONDE_NOWHERE);
    if (!AddPoint(elf, found.function, "_gnutls_record_buffer_get", site.address, point, plan)) {
      return false;
    }
  }
  if (!handshake && !found.sites.empty()) {
    plan.remark = "before TLS 1.3 one byte of the handshake comes before what is received";
  }
  return !found.sites.empty();
}

bool AddWrites(const Elf& elf, const Symbols& symbols, TlsPlan& plan) {
  const Symbol& function = symbols.send;
  const auto address = binary::CheapEntry(elf, function.address, {kObject, kText, kLength}, true);
  if (!address) return false;
  TlsPoint point;
  point.follows_return = true;
  point.spec = Spec(elf, symbols, SONDE_SEND);
  point.spec.returned = SONDE_RETURNED_VALUE;
  point.spec.entire = kRecordBytes;
  point.spec.at_most = kRecordBytes;
  point.spec.retries = 1;
  // What is sent while corked is kept, and sent by the same function again when uncorked.
  constexpr int64_t kCorked = 1;
  if (symbols.cork) {
    point.spec.handshake = FieldSetTo(elf, symbols.cork->address, kCorked).value_or(SONDE_NOWHERE);
  }
  return AddPoint(elf, function.address, symbols.send_name, *address, point, plan);
}

Result<TlsPlan> Resolve(const Elf& elf) {
  const auto found =
      elf.FindAll({"gnutls_record_send2", "gnutls_record_send", "gnutls_record_recv",
                   "gnutls_record_cork", "gnutls_session_get_random", "gnutls_init"});
  const auto& [send2, send, recv] = std::tie(found[0], found[1], found[2]);
  if (!send || !recv || !found[5]) return absl::NotFoundError("no GnuTLS");
  const Symbols symbols{*recv, send2 ? *send2 : *send,
                        send2 ? "gnutls_record_send2" : "gnutls_record_send", found[3], found[4]};
  TlsPlan plan;
  plan.version = elf.FindVersion("GnuTLS ");  // "Enabled GnuTLS 3.7.9 logging..."
  if (plan.version.empty()) plan.version = "GnuTLS";
  if (!AddReads(elf, symbols, plan)) {
    return absl::UnimplementedError(
        "where GnuTLS copies received text to its caller was not found");
  }
  if (!AddWrites(elf, symbols, plan)) {
    return absl::UnimplementedError("no instruction of GnuTLS's writes can be probed cheaply");
  }
  return plan;
}

constexpr std::string_view kFileNames[] = {"libgnutls.so.*"};
constexpr std::string_view kPackaged[] = {"*.libs/libgnutls*.so*"};

}  // namespace

const TlsLibrary kGnuTls = {
    .name = "gnutls", .resolve = Resolve, .file_names = kFileNames, .packaged = kPackaged};

}  // namespace sonde::probe
