// SPDX-License-Identifier: Apache-2.0
#include "span/segment_key.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "span/percent.h"
#include "span/segment_shape.h"
#include "span/utf8.h"

namespace sonde::span {
namespace {

constexpr size_t kMaxExtensionBytes = 5;

// Decodes into `out`. At most a little more than a literal may have is needed to see that it is too
// long.
void Decode(std::string_view segment, std::string& out) {
  out.clear();
  while (!segment.empty() && out.size() <= kMaxLiteralBytes) out.push_back(TakeDecoded(segment));
  if (IsAscii(out)) return;
  std::string valid;
  AppendUtf8(out, std::string::npos, valid);
  // Malformed text is data. A replacement character would pass for a letter, a control character
  // does not.
  if (valid.find("\xEF\xBF\xBD") != std::string::npos) valid.push_back('\x01');
  out = std::move(valid);
}

// The extension without dot, or empty. A leading dot (".well-known") makes no extension.
std::string_view ExtensionOf(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  const std::string_view extension = name.substr(dot + 1);
  if (extension.empty() || extension.size() > kMaxExtensionBytes) return {};
  for (const char c : extension) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && (c < '0' || c > '9')) return {};
  }
  // "1.5" and "v1.2" have no extension: one letter at least.
  return extension.find_first_not_of("0123456789") == std::string_view::npos ? std::string_view{}
                                                                             : extension;
}

SegmentKey Combine(std::string_view placeholder, std::string_view extension, std::string& scratch) {
  std::string text;
  text.reserve(placeholder.size() + 1 + extension.size());
  text.append(placeholder).append(".").append(extension);
  scratch = std::move(text);
  return {.text = scratch, .is_value = true};
}

}  // namespace

SegmentKey KeyOf(std::string_view segment, bool root_file, std::string& scratch) {
  segment = segment.substr(0, segment.find(';'));
  Decode(segment, scratch);
  const std::string_view extension = ExtensionOf(scratch);
  if (extension.empty()) {
    const SegmentShape shape = ShapeOf(scratch);
    if (shape == SegmentShape::kLiteral) return {.text = scratch, .is_value = false};
    return {.text = Placeholder(shape), .is_value = true};
  }
  const SegmentShape whole = ShapeOf(scratch);
  if (whole == SegmentShape::kEmail || whole == SegmentShape::kIp) {
    return {.text = Placeholder(whole), .is_value = true};
  }
  const std::string_view stem =
      std::string_view(scratch).substr(0, scratch.size() - extension.size() - 1);
  const bool asset = IsAssetExtension(extension);
  const SegmentShape shape = ShapeOf(stem);
  if (asset && (!root_file || shape != SegmentShape::kLiteral)) {
    return Combine("{file}", std::string(extension), scratch);
  }
  if (shape == SegmentShape::kLiteral) return {.text = scratch, .is_value = false};
  // Only known extensions are kept: of "<random>.<random>" the end is as much a value as the
  // beginning.
  if (extension == "html" || extension == "htm" || extension == "json" || extension == "xml" ||
      extension == "txt" || extension == "php") {
    return Combine(Placeholder(shape), std::string(extension), scratch);
  }
  return {.text = Placeholder(shape), .is_value = true};
}

}  // namespace sonde::span
