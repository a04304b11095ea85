// SPDX-License-Identifier: Apache-2.0
// Reads an ELF file (64 bit, little endian) that comes from a container and may be hostile: every
// offset is checked, nothing is allocated by a size the file claims, work is bounded. What is asked
// for is read then, with pread (a mapping would raise SIGBUS when the file is cut short); kept are
// only the tables of sections and segments, and function starts and imports once they were asked
// for. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/base/result.h"

namespace sonde::binary {

class ByteSource;

struct Symbol {
  uint64_t address = 0;
  uint64_t size = 0;
};

// [start, end) of a function, in addresses of the file.
struct Function {
  uint64_t start = 0;
  uint64_t end = 0;
};

// A part of the file that is loaded at `address`.
struct Segment {
  uint64_t address = 0;
  uint64_t size = 0;
  bool writable = false;
  bool executable = false;
};

class Elf {
 public:
  // `fd` stays the caller's and may be closed after. kInvalidArgument: no ELF file of this
  // machine's architecture.
  static Result<std::unique_ptr<Elf>> Open(int fd);
  // The same from memory, for tests and fuzzing.
  static Result<std::unique_ptr<Elf>> FromBytes(std::string bytes);
  ~Elf();
  Elf(const Elf&) = delete;
  Elf& operator=(const Elf&) = delete;

  // Defined function or object of .dynsym, then of .symtab; empty if there is none of that name.
  std::optional<Symbol> Find(std::string_view name) const;
  // In one pass, for several names: results in the order of `names`.
  std::vector<std::optional<Symbol>> FindAll(const std::vector<std::string_view>& names) const;
  // All defined functions whose name contains `part` (mangled names), at most `limit`, with names.
  std::vector<std::pair<std::string, Symbol>> FindContaining(std::string_view part,
                                                             size_t limit) const;
  // The same for thread-local variables: an address is the distance from where the file's begin.
  std::vector<std::pair<std::string, Symbol>> FindThreadLocals(std::string_view part,
                                                               size_t limit) const;
  // How many bytes below a thread's pointer the thread-local variables of a program begin; empty if
  // it has none. Those of a library are placed when it is loaded.
  std::optional<uint64_t> ThreadBytes() const;
  // Address of the two words (module, distance) by which code of a library finds its own
  // thread-local variable at `distance`; the loader writes the first.
  std::optional<uint64_t> ThreadLocalSlot(uint64_t distance) const;
  bool has_symtab() const;

  // Content of the named section (of a huge one the first 64 MiB), empty if there is none; and its
  // address.
  std::string Section(std::string_view name) const;
  std::optional<uint64_t> SectionAddress(std::string_view name) const;
  // At most `size` bytes of the loaded image at `address`; fewer at the end of its segment.
  std::string Read(uint64_t address, size_t size) const;
  // What is loaded from the file, as it lists it.
  std::vector<Segment> Segments() const;
  // Where in the file the byte at `address` is; only for executable segments.
  std::optional<uint64_t> CodeOffset(uint64_t address) const;
  // The pointer stored at `address`, relative relocations applied.
  std::optional<uint64_t> Pointer(uint64_t address) const;
  // Where in writable data pointers to `address` are stored, at most `limit`: the reverse.
  std::vector<uint64_t> FindPointers(uint64_t address, size_t limit) const;
  // Name of the imported function that the PLT stub at `address` jumps to; empty if it is no stub.
  std::string ImportAt(uint64_t address) const;
  // The same for a call or jump through the pointer at `slot`, as code without a PLT does it.
  std::string ImportOfSlot(uint64_t slot) const;
  // The function that `address` lies in: from .eh_frame_hdr's table (there in stripped files, too)
  // or, failing that, from the symbols.
  std::optional<Function> FunctionAt(uint64_t address) const;
  // All function starts of .eh_frame_hdr, ascending.
  const std::vector<uint64_t>& FunctionStarts() const;
  // Address of the first occurrence of `text`, its NUL included, in read-only data; with
  // `as_suffix`: of the string that ends so.
  std::optional<uint64_t> FindString(std::string_view text, bool as_suffix) const;
  // The first text in read-only data that is `prefix` and a number of three parts:
  // "OpenSSL 3.0.19"; that much of it. Empty if there is none.
  std::string FindVersion(std::string_view prefix) const;

 private:
  struct File;
  explicit Elf(std::unique_ptr<File> file);
  static Result<std::unique_ptr<Elf>> FromSource(ByteSource source);
  std::unique_ptr<File> file_;
};

}  // namespace sonde::binary
