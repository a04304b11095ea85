// SPDX-License-Identifier: Apache-2.0
// Whatever a container has as its executable. What is found must lie in the file.
#include <cstddef>
#include <cstdint>
#include <string>

#include "binary/code.h"
#include "binary/elf.h"
#include "support/fuzz_input.h"

using sonde::binary::DisassembleFunction;
using sonde::binary::Elf;
using sonde::binary::Operation;
using sonde::testing::Require;

namespace {

void AskAt(const Elf& elf, uint64_t address, size_t size) {
  const auto offset = elf.CodeOffset(address);
  Require(!offset || *offset < size);
  Require(elf.Read(address, 64).size() <= 64);
  elf.Pointer(address);
  const auto function = elf.FunctionAt(address);
  Require(!function || (function->start <= address && address < function->end));
  size_t calls = 0;
  for (const auto& instruction : DisassembleFunction(elf, address)) {
    if (instruction.operation == Operation::kCall && instruction.target() && ++calls < 8) {
      elf.ImportAt(*instruction.target());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto elf = Elf::FromBytes(std::string(reinterpret_cast<const char*>(data), size));
  if (!elf.ok()) return 0;
  const auto found = (*elf)->FindAll({"first", "second", "table", "getppid"});
  Require(found.size() == 4);
  for (const auto& symbol : found) {
    if (symbol) AskAt(**elf, symbol->address, size);
  }
  for (const auto& [name, symbol] : (*elf)->FindContaining("sec", 4)) {
    Require(name.find("sec") != std::string::npos);
    AskAt(**elf, symbol.address, size);
  }
  const auto& starts = (*elf)->FunctionStarts();
  if (!starts.empty()) AskAt(**elf, starts.front(), size);
  const auto text = (*elf)->FindString("unique.cc", true);
  if (text) AskAt(**elf, *text, size);
  Require((*elf)->Section(".rodata").size() <= size);
  (*elf)->SectionAddress(".text");
  (*elf)->has_symtab();
  return 0;
}
