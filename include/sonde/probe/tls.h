// SPDX-License-Identifier: Apache-2.0
// A TLS library as data: how it is recognised in an executable file, and where in it the plain text
// passes. The manifests are in probes/tls/, one folder per library; src/tls resolves and attaches
// whatever they say.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/base/processor.h"
#include "sonde/base/result.h"

namespace sonde::binary {
class Elf;
}

namespace sonde::probe {

// One instruction to be probed.
struct TlsPoint {
  uint64_t file_offset = 0;
  // False: the text is known at the instruction. True: it is the entry of a function that must be
  // followed to its return (spec.returned says what it returns), which costs twice as much.
  bool follows_return = false;
  sonde_tls_probe spec{};
  // With spec.owned == SONDE_SOUGHT: the methods it is found by, as distances from this
  // instruction.
  std::vector<int64_t> methods;
  std::string where;  // "ssl3_read_bytes+0x842", for doctor and logs
};

// Of which nothing is known but what it is for.
inline sonde_tls_probe UndescribedTlsProbe(sonde_source source, sonde_direction direction) {
  sonde_tls_probe probe{};
  probe.random = probe.random_pointer = probe.server = probe.handshake = probe.unready =
      SONDE_NOWHERE;
  probe.bio = probe.bio_method = probe.bio_fd = probe.owned = SONDE_NOWHERE;
  probe.source = static_cast<uint8_t>(source);
  probe.direction = static_cast<uint8_t>(direction);
  return probe;
}

struct TlsPlan {
  std::vector<TlsPoint> points;
  std::string version;  // as far as the file tells: "OpenSSL 3.0.19", "go1.22.3", or empty
  std::string remark;  // what is done at a higher price or not at all, and why; empty = all is well
};

struct TlsLibrary {
  std::string_view name;  // as exported: sonde.capture.source
  // Reads a file that may be hostile, in bounded time and memory. kNotFound: this library is not in
  // it. Any other error: it is, but its text cannot be seen, and the message says why; it follows
  // "seen, not decoded, because". The probed instructions are ones the kernel emulates (push, call,
  // jump, nop), never one it would single-step.
  Result<TlsPlan> (*resolve)(const binary::Elf& elf);
  // It is never decoded, only recognised, so that it is said by name.
  bool named_only = false;
  // On others it is recognised only.
  Processors processors = Processors::kX86;
  // Where programs that load it at run time find it, as patterns of glob(7), so that it is probed
  // beforehand: in the system's library directories, and below a directory with Python's packages.
  std::span<const std::string_view> file_names = {};
  std::span<const std::string_view> packaged = {};
};

// Every library sonde knows; the first that is found in a file is the file's. Defined in
// probes/tls/tls_libraries.cpp.
std::span<const TlsLibrary* const> TlsLibraries();

}  // namespace sonde::probe
