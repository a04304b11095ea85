// SPDX-License-Identifier: Apache-2.0
// rustls, linked into Rust programs. Text is seen where the connection's state takes a decrypted
// record, and where it takes what the program writes. Both functions are found by their mangled
// names, so a stripped program is only recognised. NOTES.md has the evidence.
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/code.h"
#include "binary/elf.h"
#include "probes/tls/tls_libraries.h"
#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/tls.h"

namespace sonde::probe {
namespace {

using binary::Symbol;

// The same in both manglings: each identifier is preceded by its length.
constexpr std::string_view kTake = "11CommonState23take_received_plaintext";  // since 0.20
constexpr std::string_view kBuffer = "11CommonState16buffer_plaintext";       // since 0.23
constexpr std::string_view kSend = "11CommonState19send_some_plaintext";      // until 0.22
// MessageEncrypter::encrypt of every cipher.
constexpr std::string_view kEncrypter = "MessageEncrypter";
constexpr std::string_view kEncrypt = "7encrypt";

// Paths of the crate's files stand in its panic messages: ".../rustls-0.23.46/src/conn.rs".
std::string Version(const binary::Elf& elf) {
  constexpr std::string_view kPath = "/rustls-";
  constexpr size_t kMaxVersion = 24;
  const std::string data = elf.Section(".rodata");
  for (size_t at = data.find(kPath); at != std::string::npos; at = data.find(kPath, at + 1)) {
    const std::string_view rest = std::string_view(data).substr(at + kPath.size(), kMaxVersion);
    const size_t end = rest.find_first_not_of("0123456789.");
    if (end == 0 || end == std::string_view::npos || !rest.substr(end).starts_with("/src/"))
      continue;
    return std::string(rest.substr(0, end));
  }
  return {};
}

sonde_tls_probe Probe(sonde_direction direction) {
  // CommonState holds neither the client random nor a descriptor, and moves. Its cipher, a
  // Box<dyn MessageEncrypter>, does not: from the handshake's end to a change of keys it names it.
  sonde_tls_probe probe = UndescribedTlsProbe(SONDE_SOURCE_RUSTLS, direction);
  probe.object = {SONDE_REGISTER_DI, 0, 0, 0, 0};  // &mut CommonState
  probe.returned = SONDE_RETURNED_ALL;
  probe.fd = SONDE_TLS_FD_NONE;
  probe.owned = SONDE_SOUGHT;
  return probe;
}

// Of Payload and of OutboundChunks::Single: rsi -> {tag, text, length}.
void SetByReference(sonde_tls_probe& probe) {
  probe.text = {SONDE_REGISTER_SI, 1, 0, 0, 8};
  probe.length = {SONDE_REGISTER_SI, 1, 0, 0, 16};
}

// First instruction at which the arguments are still in their registers and which the kernel
// emulates: mostly the first. A return probe can be at the first only.
std::optional<uint64_t> Entry(const binary::Elf& elf, const Symbol& function, bool follows_return) {
  if (follows_return) return function.address;
  constexpr size_t kPrologue = 16;
  constexpr uint32_t kArguments =
      1U << SONDE_REGISTER_DI | 1U << SONDE_REGISTER_SI | 1U << SONDE_REGISTER_DX;
  for (const auto& instruction :
       binary::Disassemble(elf, function.address, function.address + function.size, kPrologue)) {
    if (instruction.emulated) return instruction.address;
    if ((instruction.writes & kArguments) != 0) break;
  }
  return std::nullopt;
}

// All copies of the function, one per version of rustls and per unit that has its own.
void Add(const binary::Elf& elf, std::string_view name, std::string_view readable,
         const sonde_tls_probe& spec, bool follows_return, std::vector<TlsPoint>& points) {
  constexpr size_t kMaxCopies = 8;
  for (const auto& [symbol_name, symbol] : elf.FindContaining(name, kMaxCopies)) {
    if (symbol_name.find(".cold") != std::string::npos) continue;  // the unlikely part of one
    const auto address = Entry(elf, symbol, follows_return);
    const auto offset = address ? elf.CodeOffset(*address) : std::nullopt;
    if (!offset) continue;
    TlsPoint point;
    point.file_offset = *offset;
    point.follows_return = follows_return;
    point.spec = spec;
    point.where = absl::StrCat("CommonState::", std::string(readable), "+0x",
                               absl::Hex(*address - symbol.address));
    points.push_back(std::move(point));
  }
}

void AddReads(const binary::Elf& elf, std::vector<TlsPoint>& points) {
  sonde_tls_probe probe = Probe(SONDE_RECEIVE);
  SetByReference(probe);
  Add(elf, kTake, "take_received_plaintext", probe, false, points);
}

// How much of the text is taken is known at the return: at most what the buffer for encrypted data,
// 64 KiB, has room for.
void AddWrites(const binary::Elf& elf, std::vector<TlsPoint>& points) {
  sonde_tls_probe probe = Probe(SONDE_SEND);
  probe.returned = SONDE_RETURNED_VALUE;
  SetByReference(probe);
  probe.chunks = 1;
  Add(elf, kBuffer, "buffer_plaintext", probe, true, points);
  probe.chunks = 0;
  probe.text = {SONDE_REGISTER_SI, 0, 0, 0, 0};
  probe.length = {SONDE_REGISTER_DX, 0, 0, 0, 0};
  Add(elf, kSend, "send_some_plaintext", probe, true, points);
}

// Code is loaded in one piece: distances are the same in the file.
void NameByCipher(const binary::Elf& elf, std::vector<TlsPoint>& points) {
  constexpr size_t kMaxMethods = 64;
  for (const auto& [name, symbol] : elf.FindContaining(kEncrypter, kMaxMethods)) {
    const auto offset = elf.CodeOffset(symbol.address);
    if (!offset || name.find(kEncrypt) == std::string::npos) continue;
    for (TlsPoint& point : points) {
      point.methods.push_back(static_cast<int64_t>(*offset - point.file_offset));
    }
  }
}

Result<TlsPlan> Resolve(const binary::Elf& elf) {
  if (elf.Section(".comment").find("rustc version") == std::string::npos) {
    return absl::NotFoundError("no Rust");
  }
  TlsPlan plan;
  const std::string version = Version(elf);
  if (!version.empty()) plan.version = absl::StrCat("rustls ", version);
  AddReads(elf, plan.points);
  const size_t reads = plan.points.size();
  AddWrites(elf, plan.points);
  const size_t writes = plan.points.size() - reads;
  if (reads > 0 && writes > 0) {
    NameByCipher(elf, plan.points);
    return plan;
  }
  if (version.empty() && plan.points.empty()) return absl::NotFoundError("no rustls");
  if (!elf.has_symtab()) {
    return absl::UnimplementedError(absl::StrCat("stripped: rustls ", version, " has no symbols"));
  }
  return absl::UnimplementedError(
      absl::StrCat("rustls ", version, " has no function left where it could be probed for ",
                   reads == 0 ? "received text" : "text to send"));
}

}  // namespace

const TlsLibrary kRustls = {"rustls", Resolve};

}  // namespace sonde::probe
