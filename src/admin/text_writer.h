// SPDX-License-Identifier: Apache-2.0
// Lines of the Prometheus text format and of OpenMetrics. Appends to one string: a scrape of ten
// thousand histograms is hundreds of thousands of lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "admin/exposition.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::admin {

// `name="value"`, separated by commas, as they stand between the brackets.
class LabelSet {
 public:
  LabelSet() = default;
  // Text that another set gave.
  explicit LabelSet(std::string text) : text_(std::move(text)) {}
  // The name is made a valid one; a name that is there already is left out.
  void Add(std::string_view name, std::string_view value);
  void Add(const Attributes& attributes);
  const std::string& text() const { return text_; }

 private:
  bool Has(std::string_view name) const;
  std::string text_;
};

// [a-zA-Z_][a-zA-Z0-9_]*, and for metric names also colons.
bool ValidName(std::string_view name, bool colons);
// Other characters become underscores.
std::string MadeValid(std::string_view name);
void AppendNumber(double value, std::string& out);

class TextWriter {
 public:
  explicit TextWriter(Exposition format) : open_(format == Exposition::kOpenMetrics) {}

  // HELP and TYPE of a family. A counter's name ends with _total.
  void Family(std::string_view name, std::string_view help, MetricKind kind, std::string_view unit);
  void Info(std::string_view name, std::string_view help);
  // `name` with suffix, then the labels, of which `more` is a part such as le="1".
  void Sample(std::string_view name, std::string_view suffix, std::string_view labels,
              std::string_view more, double value);
  void Sample(std::string_view name, std::string_view suffix, std::string_view labels,
              std::string_view more, uint64_t value);
  // The same with an exemplar, which only OpenMetrics shows.
  void Sample(std::string_view name, std::string_view suffix, std::string_view labels,
              std::string_view more, uint64_t value, const Exemplar& exemplar);
  // le="..." of a bucket.
  std::string Bound(double bound) const;
  std::string Finish();

 private:
  void Head(std::string_view name, std::string_view suffix, std::string_view labels,
            std::string_view more);
  void Help(std::string_view name, std::string_view help);

  bool open_;
  std::string out_;
};

}  // namespace sonde::admin
