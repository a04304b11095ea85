// SPDX-License-Identifier: Apache-2.0
// Chooses instructions to probe, and reads offsets of fields out of the accessors that return them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

#include "binary/elf.h"
#include "binary/flow.h"
#include "sonde/abi/tls.h"

namespace sonde::binary {

// The first instruction at or after the entry of a function that the kernel runs cheaply (emulated;
// on arm64 any), at which `inputs` are still in their registers. With `at_entry` the stack must be
// as at the entry, too: where a return is to be followed, the kernel takes what is on top of the
// stack for the return address.
std::optional<uint64_t> CheapEntry(const Elf& elf, uint64_t function,
                                   std::initializer_list<uint8_t> inputs, bool at_entry);

// A call of memcpy that copies towards one of the function's arguments.
struct CopySite {
  uint64_t address = 0;
  sonde_place object{};
};

struct CopySearch {
  uint64_t function = 0;
  uint8_t object = 0;  // the argument whose place is wanted
  uint8_t to = 0;      // the argument that is copied to
  Assumptions assumptions;
};

// All of them that are reached under the assumptions, but those that copy out of the object itself.
// Empty if there are none, or it is not certain: a copy of unknown destination, one that the kernel
// would single-step, one at which the object is in no known place.
std::vector<CopySite> CopySites(const Elf& elf, const CopySearch& search);

// Where an int argument that was not assumed to be any number is when `site` is reached, if it is
// there whether it is 0 or not.
std::optional<sonde_place> PlaceOfInt(const Elf& elf, const CopySearch& search, uint8_t argument,
                                      uint64_t site);

// As CopySites, in what the function passes both arguments on to, a few calls down: in the first
// function met in which there are any.
struct CopyBelow {
  uint64_t function = 0;
  std::vector<CopySite> sites;
};
CopyBelow CopySitesBelow(const Elf& elf, const CopySearch& search);

// Functions that call or jump to `target` directly, ascending; at most `limit`. Code of up to
// 256 MiB is looked at.
std::vector<uint64_t> FunctionsThatCall(const Elf& elf, uint64_t target, size_t limit);
// Functions in whose code the address of something (a text, as a rule) is taken, ascending; at most
// `limit`. Code of up to 256 MiB is looked at.
std::vector<uint64_t> FunctionsThatName(const Elf& elf, uint64_t address, size_t limit);

// The same function that a call or tail call in each of `callers` leads to with its first two
// arguments untouched. `count`: the register in which the first caller passes the address of a
// variable of its own.
struct Callee {
  uint64_t address = 0;
  std::optional<uint8_t> count;
};
std::optional<Callee> SharedCallee(const Elf& elf, uint64_t caller, uint64_t other);

// What an accessor returns, if that is a field of its first argument: pointer = offset of the
// field.
std::optional<int32_t> ReturnedField(const Elf& elf, uint64_t accessor,
                                     const Assumptions& assumptions);
// The first field of 4 or 8 bytes of its first argument that an accessor reads, from offset
// `beyond` on.
std::optional<int32_t> FirstField(const Elf& elf, uint64_t accessor, uint8_t bytes, int32_t beyond,
                                  const Assumptions& assumptions);
// Where in its first argument (or behind a pointer there) is what an accessor copies to its second.
struct FieldPath {
  int32_t pointer = SONDE_NOWHERE;  // SONDE_NOWHERE: in the object itself
  int32_t offset = 0;
};
std::optional<FieldPath> CopiedField(const Elf& elf, uint64_t accessor,
                                     const Assumptions& assumptions);
// The constant, as a rule an address, that a function without arguments returns.
std::optional<uint64_t> ReturnedNumber(const Elf& elf, uint64_t function);

}  // namespace sonde::binary
