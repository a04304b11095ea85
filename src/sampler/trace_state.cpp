// SPDX-License-Identifier: Apache-2.0
#include "sampler/trace_state.h"

#include <absl/strings/str_cat.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace sonde::sampler {
namespace {

constexpr size_t kDigits = 14;
constexpr std::string_view kMember = "ot=";

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes the first part up to `separator` off `text`.
std::string_view Take(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

std::string_view OtValue(std::string_view tracestate) {
  while (!tracestate.empty()) {
    const std::string_view member = Trim(Take(tracestate, ','));
    if (member.starts_with(kMember)) return member.substr(kMember.size());
  }
  return {};
}

std::string_view SubKey(std::string_view value, std::string_view name) {
  while (!value.empty()) {
    const std::string_view part = Take(value, ';');
    if (part.starts_with(name)) return part.substr(name.size());
  }
  return {};
}

// Digits are the most significant ones of 56 bits.
std::optional<uint64_t> Fraction(std::string_view digits) {
  if (digits.empty() || digits.size() > kDigits) return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value << (4 * (kDigits - digits.size()));
}

}  // namespace

std::optional<uint64_t> RandomnessIn(std::string_view tracestate) {
  const std::string_view digits = SubKey(OtValue(tracestate), "rv:");
  return digits.size() == kDigits ? Fraction(digits) : std::nullopt;
}

std::optional<uint64_t> ThresholdIn(std::string_view tracestate) {
  return Fraction(SubKey(OtValue(tracestate), "th:"));
}

std::string WithThreshold(std::string_view tracestate, uint64_t threshold) {
  std::string digits = absl::StrCat(absl::Hex(threshold, absl::kZeroPad14));
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  std::string value = std::string(kMember).append("th:").append(digits);
  std::string_view before = OtValue(tracestate);
  while (!before.empty()) {
    const std::string_view part = Take(before, ';');
    if (!part.starts_with("th:")) value.append(";").append(part);
  }
  while (!tracestate.empty()) {
    const std::string_view member = Trim(Take(tracestate, ','));
    if (!member.empty() && !member.starts_with(kMember)) value.append(",").append(member);
  }
  return value;
}

}  // namespace sonde::sampler
