// SPDX-License-Identifier: Apache-2.0
#include "admin/text_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::admin {
namespace {

template <typename T>
void AppendPlain(T value, std::string& out) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

void AppendEscaped(std::string_view text, bool quotes, std::string& out) {
  for (const char c : text) {
    if (c == '\n') {
      out.append("\\n");
    } else {
      if (c == '\\' || (quotes && c == '"')) out.push_back('\\');
      out.push_back(c);
    }
  }
}

std::string TextOf(const AttributeValue& value) {
  std::string out;
  std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) {
          out = held;
        } else if constexpr (std::is_same_v<T, bool>) {
          out = held ? "true" : "false";
        } else if constexpr (std::is_arithmetic_v<T>) {
          AppendPlain(held, out);
        } else {
          for (const std::string& text : held) out.append(out.empty() ? "" : ",").append(text);
        }
      },
      value);
  return out;
}

const char* TypeOf(MetricKind kind) {
  switch (kind) {
    case MetricKind::kSum:
      return "counter";
    case MetricKind::kHistogram:
      return "histogram";
    case MetricKind::kUpDownSum:
    case MetricKind::kGauge:
      break;
  }
  return "gauge";
}

}  // namespace

bool ValidName(std::string_view name, bool colons) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::ranges::all_of(name, [colons](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colons && c == ':');
  });
}

std::string MadeValid(std::string_view name) {
  std::string valid(name);
  for (char& c : valid) {
    if (!ValidName(std::string_view(&c, 1), false) && (c < '0' || c > '9')) c = '_';
  }
  if (valid.empty() || (valid[0] >= '0' && valid[0] <= '9')) valid.insert(0, "_");
  return valid;
}

void AppendNumber(double value, std::string& out) {
  if (std::isnan(value)) {
    out.append("NaN");
  } else if (std::isinf(value)) {
    out.append(value > 0 ? "+Inf" : "-Inf");
  } else {
    constexpr double kWhole = 9007199254740992;  // 2^53: whole numbers are exact below
    if (value == std::floor(value) && std::abs(value) < kWhole) {
      AppendPlain(static_cast<int64_t>(value), out);
    } else {
      AppendPlain(value, out);
    }
  }
}

bool LabelSet::Has(std::string_view name) const {
  for (size_t at = text_.find(name); at != std::string::npos; at = text_.find(name, at + 1)) {
    const bool begins = at == 0 || (text_[at - 1] == ',' && (at < 2 || text_[at - 2] == '"'));
    if (begins && text_.compare(at + name.size(), 2, "=\"") == 0) return true;
  }
  return false;
}

void LabelSet::Add(std::string_view name, std::string_view value) {
  const std::string valid = MadeValid(name);
  if (Has(valid)) return;
  if (!text_.empty()) text_.push_back(',');
  text_.append(valid).append("=\"");
  AppendEscaped(value, true, text_);
  text_.push_back('"');
}

void LabelSet::Add(const Attributes& attributes) {
  for (const Attribute& attribute : attributes) Add(attribute.key, TextOf(attribute.value));
}

void TextWriter::Help(std::string_view name, std::string_view help) {
  out_.append("# HELP ").append(name).append(" ");
  AppendEscaped(help, open_, out_);
  out_.push_back('\n');
}

void TextWriter::Family(std::string_view name, std::string_view help, MetricKind kind,
                        std::string_view unit) {
  std::string_view type = TypeOf(kind);
  constexpr std::string_view kTotal = "_total";
  if (open_ && kind == MetricKind::kSum) {
    // OpenMetrics names the family without the suffix of its samples, and has none without it.
    if (name.ends_with(kTotal)) {
      name.remove_suffix(kTotal.size());
    } else {
      type = "unknown";
    }
  }
  Help(name, help);
  out_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  if (open_ && !unit.empty() && name.ends_with(unit)) {
    out_.append("# UNIT ").append(name).append(" ").append(unit).append("\n");
  }
}

void TextWriter::Info(std::string_view name, std::string_view help) {
  constexpr std::string_view kInfo = "_info";
  const std::string_view family = open_ ? name.substr(0, name.size() - kInfo.size()) : name;
  Help(family, help);
  out_.append("# TYPE ").append(family).append(open_ ? " info\n" : " gauge\n");
}

void TextWriter::Head(std::string_view name, std::string_view suffix, std::string_view labels,
                      std::string_view more) {
  out_.append(name).append(suffix);
  if (!labels.empty() || !more.empty()) {
    out_.push_back('{');
    out_.append(labels);
    if (!labels.empty() && !more.empty()) out_.push_back(',');
    out_.append(more);
    out_.push_back('}');
  }
  out_.push_back(' ');
}

void TextWriter::Sample(std::string_view name, std::string_view suffix, std::string_view labels,
                        std::string_view more, double value) {
  Head(name, suffix, labels, more);
  AppendNumber(value, out_);
  out_.push_back('\n');
}

void TextWriter::Sample(std::string_view name, std::string_view suffix, std::string_view labels,
                        std::string_view more, uint64_t value) {
  Head(name, suffix, labels, more);
  AppendPlain(value, out_);
  out_.push_back('\n');
}

void TextWriter::Sample(std::string_view name, std::string_view suffix, std::string_view labels,
                        std::string_view more, uint64_t value, const Exemplar& exemplar) {
  if (!open_) return Sample(name, suffix, labels, more, value);
  Head(name, suffix, labels, more);
  AppendPlain(value, out_);
  out_.append(" # {trace_id=\"").append(exemplar.trace_id.ToHex());
  out_.append("\",span_id=\"").append(exemplar.span_id.ToHex()).append("\"} ");
  AppendNumber(exemplar.value, out_);
  constexpr uint64_t kNanoseconds = 1'000'000'000;
  std::string fraction = std::to_string(exemplar.wall_ns % kNanoseconds);
  fraction.insert(0, 9 - fraction.size(), '0');
  out_.push_back(' ');
  AppendPlain(exemplar.wall_ns / kNanoseconds, out_);
  out_.append(".").append(fraction).append("\n");
}

std::string TextWriter::Bound(double bound) const {
  std::string text = "le=\"";
  AppendNumber(bound, text);
  // OpenMetrics wants a float to look like one.
  if (open_ && std::isfinite(bound) && text.find_first_of(".e", 4) == std::string::npos) {
    text.append(".0");
  }
  text.push_back('"');
  return text;
}

std::string TextWriter::Finish() {
  if (open_) out_.append("# EOF\n");
  return std::move(out_);
}

}  // namespace sonde::admin
