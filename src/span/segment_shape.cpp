// SPDX-License-Identifier: Apache-2.0
#include "span/segment_shape.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "span/percent.h"
#include "span/url.h"

namespace sonde::span {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }

// What one pass over the segment counts.
struct Counts {
  size_t digits = 0;
  size_t letters = 0;
  size_t hex_letters = 0;
  size_t capitals = 0;
  size_t separators = 0;  // '-' and '_'
  size_t dots = 0;
  size_t colons = 0;
  size_t ats = 0;
  size_t data = 0;      // bytes that only occur in data: space, quotes, '=', ',', controls ...
  size_t switches = 0;  // neighbours of different class among lower, upper, digit
  size_t digit_runs = 0;
  size_t longest_digit_part = 0;  // longest part between separators that is all digits
};

enum class ByteClass : uint8_t { kNone, kLower, kUpper, kDigit, kSeparator, kOther };

ByteClass ClassOf(char c) {
  if (IsLower(c)) return ByteClass::kLower;
  if (IsUpper(c)) return ByteClass::kUpper;
  if (IsDigit(c)) return ByteClass::kDigit;
  return c == '-' || c == '_' ? ByteClass::kSeparator : ByteClass::kOther;
}

void CountOther(char c, Counts& counts) {
  constexpr std::string_view data_bytes = " \"'<>{}|\\^`=,&%+*";
  if (c == '.') ++counts.dots;
  if (c == ':') ++counts.colons;
  if (c == '@') ++counts.ats;
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F ||
      data_bytes.find(c) != std::string_view::npos)
    ++counts.data;
}

Counts Count(std::string_view segment) {
  Counts counts;
  ByteClass before = ByteClass::kNone;
  size_t part_bytes = 0;
  size_t part_digits = 0;
  const auto end_part = [&] {
    if (part_digits == part_bytes) {
      counts.longest_digit_part = std::max(counts.longest_digit_part, part_digits);
    }
    part_bytes = part_digits = 0;
  };
  for (const char c : segment) {
    const ByteClass now = ClassOf(c);
    if (now != before && before != ByteClass::kNone) ++counts.switches;
    if (now == ByteClass::kDigit) {
      ++counts.digits;
      ++part_digits;
      if (before != ByteClass::kDigit) ++counts.digit_runs;
    } else if (now == ByteClass::kLower || now == ByteClass::kUpper) {
      ++counts.letters;
      if (now == ByteClass::kUpper) ++counts.capitals;
      if (HexDigit(c) >= 0) ++counts.hex_letters;
    } else if (now == ByteClass::kOther) {
      CountOther(c, counts);
    }
    ++part_bytes;
    if (now == ByteClass::kSeparator) {
      ++counts.separators;
      --part_bytes;
      end_part();
    }
    before = now;
  }
  end_part();
  return counts;
}

// 8-4-4-4-12 hexadecimal digits, RFC 9562.
bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : HexDigit(text[i]) < 0) return false;
  }
  return true;
}

// Numbers with sign, fraction, or several of them: "-7", "12.5", "48.1,11.5".
bool IsNumber(std::string_view text, const Counts& counts) {
  return counts.digits > 0 && std::ranges::all_of(text, [](char c) {
           return IsDigit(c) || c == '.' || c == ',' || c == '-' || c == '+' || c == '_';
         });
}

// Mostly-hexadecimal names are hashes from 7 characters on (git's short form). Shorter than 16 it
// needs a digit and a letter, so that "facade" and "feedback" stay words.
bool IsHash(std::string_view text, const Counts& counts) {
  if (text.starts_with("0x") && text.size() > 4) {
    return counts.digits + counts.hex_letters == text.size() - 1;
  }
  if (text.size() < 7 || counts.digits + counts.hex_letters != text.size()) return false;
  return text.size() >= 16 || (counts.digits > 0 && counts.hex_letters > 0);
}

// YYYY-MM-DD, YYYY-MM, YYYY.MM.DD, and anything longer that goes on with a time.
bool IsDate(std::string_view text) {
  const auto digits = [text](size_t at, size_t n) {
    return text.size() >= at + n && std::ranges::all_of(text.substr(at, n), IsDigit);
  };
  const auto separator = [text](size_t at) {
    return text.size() > at && (text[at] == '-' || text[at] == '.' || text[at] == '_');
  };
  if (!digits(0, 4) || !separator(4) || !digits(5, 2)) return false;
  if (text[0] != '1' && text[0] != '2') return false;
  const bool month = text[5] == '0' || (text[5] == '1' && text[6] <= '2');
  if (!month) return false;
  if (text.size() == 7) return true;
  if (!separator(7) || !digits(8, 2)) return false;
  return text.size() == 10 || text[10] == 'T' || text[10] == 't' || text[10] == ' ' ||
         text[10] == '_';
}

bool IsIp(std::string_view text, const Counts& counts) {
  if (counts.dots == 3 && counts.digits + 3 == text.size()) return counts.digits >= 4;
  return counts.colons >= 2 &&
         counts.digits + counts.hex_letters + counts.colons + counts.dots == text.size();
}

bool IsEmail(std::string_view text, const Counts& counts) {
  const size_t at = text.find('@');
  return counts.ats == 1 && at > 0 && text.find('.', at) != std::string_view::npos;
}

// Random-looking text: base64, base58, ULID, nanoid, prefixed ids ("user12345", "order-00123",
// "cus_NffrFeUfNV2Hib").
bool IsToken(std::string_view text, const Counts& counts) {
  if (counts.digits == 0) return false;
  if (counts.longest_digit_part >= 3) return true;
  const size_t plain = counts.letters + counts.digits;
  if (plain < 8) return false;
  if (counts.digits >= 4 && counts.digits * 10 >= plain * 3) return true;
  if (plain < 10) return false;
  // Twenty characters without a break and of one case are no word that somebody numbered.
  const bool one_case = counts.capitals == 0 || counts.capitals == counts.letters;
  if (plain == text.size() && plain >= 20 && (one_case || counts.digits >= 3)) return true;
  return counts.digit_runs >= 3 || counts.switches * 20 >= text.size() * 9;
}

// Titles: many words, or a few long ones.
bool IsSlug(std::string_view text, const Counts& counts) {
  if (counts.data > 0) return true;
  return (counts.separators >= 4 && text.size() >= 20) ||
         (counts.separators >= 2 && text.size() >= 32);
}

}  // namespace

SegmentShape ShapeOf(std::string_view segment) {
  if (segment.size() > kMaxLiteralBytes) return SegmentShape::kId;
  const Counts counts = Count(segment);
  if (counts.letters == segment.size() && segment.size() < 16) return SegmentShape::kLiteral;
  if (IsDate(segment)) return SegmentShape::kDate;
  if (IsIp(segment, counts)) return SegmentShape::kIp;
  if (IsNumber(segment, counts) || IsUuid(segment) || IsHash(segment, counts))
    return SegmentShape::kId;
  if (IsEmail(segment, counts)) return SegmentShape::kEmail;
  if (IsSlug(segment, counts)) return SegmentShape::kSlug;
  return IsToken(segment, counts) ? SegmentShape::kId : SegmentShape::kLiteral;
}

std::string_view Placeholder(SegmentShape shape) {
  switch (shape) {
    case SegmentShape::kDate:
      return "{date}";
    case SegmentShape::kIp:
      return "{ip}";
    case SegmentShape::kEmail:
      return "{email}";
    case SegmentShape::kSlug:
      return "{slug}";
    default:
      return "{id}";
  }
}

bool IsAssetExtension(std::string_view extension) {
  constexpr std::array extensions = std::to_array<std::string_view>(
      {"js",   "mjs",  "css", "map",  "png",   "jpg",  "jpeg", "gif",  "svg", "webp",
       "avif", "ico",  "bmp", "woff", "woff2", "ttf",  "otf",  "eot",  "mp3", "mp4",
       "ogg",  "webm", "wav", "m4a",  "m3u8",  "ts",   "mpd",  "pdf",  "zip", "gz",
       "tgz",  "bz2",  "xz",  "wasm", "jar",   "war",  "deb",  "rpm",  "apk", "iso",
       "dmg",  "exe",  "doc", "docx", "xls",   "xlsx", "ppt",  "pptx", "csv", "tar"});
  return std::ranges::any_of(extensions, [extension](std::string_view known) {
    return EqualsIgnoreCase(known, extension);
  });
}

}  // namespace sonde::span
