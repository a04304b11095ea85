// SPDX-License-Identifier: Apache-2.0
// Where functions begin and end, from .eh_frame_hdr and .eh_frame: they are in stripped files, too
// (LSB core specification, "Exception Frames"). Only the encodings that linkers write for x86-64
// and arm64 are read; a file with others has no bounds.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "binary/byte_source.h"
#include "binary/elf.h"
#include "binary/elf_file.h"

namespace sonde::binary {
namespace {

constexpr uint64_t kHeaderBytes = 12;  // version and encodings, pointer to .eh_frame, count
constexpr uint64_t kMaxFunctions = 4U << 20;
constexpr uint8_t kCount4Bytes = 0x03;  // DW_EH_PE_udata4
constexpr uint8_t kTable4Bytes = 0x3b;  // DW_EH_PE_datarel | sdata4

struct Row {  // relative to .eh_frame_hdr
  int32_t start = 0;
  int32_t description = 0;
};

// Rows of the binary search table.
uint64_t RowCount(const ByteSource& bytes, Extent header) {
  struct {
    uint8_t version = 0;
    uint8_t pointer_encoding = 0;
    uint8_t count_encoding = 0;
    uint8_t table_encoding = 0;
    uint32_t pointer = 0;
    uint32_t count = 0;
  } start;
  static_assert(sizeof(start) == kHeaderBytes);
  if (header.size < kHeaderBytes || !bytes.ReadObject(header.offset, start)) return 0;
  if (start.version != 1 || start.count_encoding != kCount4Bytes ||
      start.table_encoding != kTable4Bytes) {
    return 0;
  }
  return std::min(
      {uint64_t{start.count}, (header.size - kHeaderBytes) / sizeof(Row), kMaxFunctions});
}

uint64_t Relative(uint64_t base, int32_t distance) {
  return base + static_cast<uint64_t>(int64_t{distance});
}

// Reads what is encoded in a common information entry, in order.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  void Skip(size_t size) { rest_.remove_prefix(std::min(size, rest_.size())); }
  void SkipLeb128() {
    while ((Byte() & 0x80U) != 0) {
    }
  }
  std::string_view Text() {
    const std::string_view text = rest_.substr(0, rest_.find('\0'));
    Skip(text.size() + 1);
    return text;
  }

 private:
  std::string_view rest_;
};

constexpr size_t kPointerBytes = 8;

// Bytes of a number of this DW_EH_PE encoding; 0: of no fixed size.
size_t EncodedBytes(uint8_t encoding) {
  switch (encoding & 0x07U) {
    case 0:  // absptr
    case 4:
      return kPointerBytes;
    case 2:
      return 2;
    case 3:
      return 4;
    default:
      return 0;
  }
}

// Size of the addresses in the descriptions that refer to this entry.
size_t AddressBytes(std::string_view entry) {
  Reader reader(entry);
  reader.Skip(8);  // length, id
  const uint8_t version = reader.Byte();
  const std::string_view augmentation = reader.Text();
  if (!augmentation.starts_with('z')) return kPointerBytes;
  reader.SkipLeb128();  // code and data alignment
  reader.SkipLeb128();
  if (version == 1) {
    reader.Byte();
  } else {
    reader.SkipLeb128();
  }
  reader.SkipLeb128();
  for (const char letter : augmentation.substr(1)) {
    if (letter == 'R') return EncodedBytes(reader.Byte());
    if (letter == 'L') reader.Byte();
    if (letter == 'P') reader.Skip(EncodedBytes(reader.Byte()));
  }
  return kPointerBytes;
}

// How many bytes of code the description at `address` is of.
std::optional<uint64_t> CoveredBytes(const Elf& elf, uint64_t address) {
  constexpr size_t kDescriptionBytes = 24;
  constexpr size_t kEntryBytes = 64;
  const std::string description = elf.Read(address, kDescriptionBytes);
  uint32_t length = 0;
  uint32_t to_entry = 0;
  if (description.size() < kDescriptionBytes) return std::nullopt;
  std::memcpy(&length, description.data(), sizeof(length));
  std::memcpy(&to_entry, description.data() + 4, sizeof(to_entry));
  if (length == UINT32_MAX || to_entry == 0) return std::nullopt;
  const size_t bytes = AddressBytes(elf.Read(address + 4 - to_entry, kEntryBytes));
  if (bytes != 4 && bytes != kPointerBytes) return std::nullopt;
  uint64_t covered = 0;
  std::memcpy(&covered, description.data() + 8 + bytes, bytes);
  return covered;
}

}  // namespace

const std::vector<uint64_t>& Elf::FunctionStarts() const {
  std::call_once(file_->starts_once, [this] {
    const uint64_t count = RowCount(file_->bytes, file_->unwind);
    const std::string table =
        file_->bytes.Read(file_->unwind.offset + kHeaderBytes, count * sizeof(Row));
    file_->starts.reserve(table.size() / sizeof(Row));
    for (size_t at = 0; at + sizeof(Row) <= table.size(); at += sizeof(Row)) {
      Row row;
      std::memcpy(&row, table.data() + at, sizeof(row));
      file_->starts.push_back(Relative(file_->unwind_address, row.start));
    }
    std::ranges::sort(file_->starts);
  });
  return file_->starts;
}

std::optional<Function> Elf::FunctionAt(uint64_t address) const {
  const uint64_t rows = file_->unwind.offset + kHeaderBytes;
  Row row;
  // The last row that begins at or before the address.
  uint64_t low = 0;
  uint64_t high = RowCount(file_->bytes, file_->unwind);
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (!file_->bytes.ReadObject(rows + middle * sizeof(Row), row)) break;
    if (Relative(file_->unwind_address, row.start) <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low > 0 && file_->bytes.ReadObject(rows + (low - 1) * sizeof(Row), row)) {
    const uint64_t start = Relative(file_->unwind_address, row.start);
    const auto covered = CoveredBytes(*this, Relative(file_->unwind_address, row.description));
    uint64_t end = 0;
    if (covered && start <= address && address - start < *covered &&
        !__builtin_add_overflow(start, *covered, &end)) {
      return Function{start, end};
    }
  }
  for (const SymbolTable& table : file_->tables) {
    const auto function = FunctionBySymbol(file_->bytes, table, address);
    if (function) return function;
  }
  return std::nullopt;
}

}  // namespace sonde::binary
