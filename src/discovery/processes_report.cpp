// SPDX-License-Identifier: Apache-2.0
#include "discovery/processes_report.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "discovery/census.h"
#include "discovery/selection.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/workload.h"

namespace sonde::discovery {
namespace {

enum Column : uint8_t {
  kPid,
  kExecutable,
  kLanguage,
  kService,
  kContainer,
  kUnit,
  kPorts,
  kTls,
  kRuntime,
  kSelected,
  kRule,
  kColumns
};
using Row = std::array<std::string, kColumns>;

constexpr size_t kGap = 2;
constexpr size_t kMinFlexible = 12;  // narrower than this says nothing

bool IsContinuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0U) == 0x80; }

// Terminal columns, taking each character for one wide.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return !IsContinuation(c); }));
}

// A name may hold escape sequences made by somebody else.
std::string Printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return out;
}

// Keeps the last (or first) `width` columns, an ellipsis included.
std::string Shorten(const std::string& text, size_t width, bool keep_end) {
  if (Width(text) <= width || width == 0) return text;
  size_t drop = Width(text) - width + 1;
  std::string_view rest = text;
  if (keep_end) {
    for (; drop > 0; --drop) {
      rest.remove_prefix(1);
      while (!rest.empty() && IsContinuation(rest.front())) rest.remove_prefix(1);
    }
    return "…" + std::string(rest);
  }
  for (; drop > 0; --drop) {
    while (!rest.empty() && IsContinuation(rest.back())) rest.remove_suffix(1);
    if (!rest.empty()) rest.remove_suffix(1);
  }
  return std::string(rest) + "…";
}

std::string OrDash(std::string_view text) { return text.empty() ? "-" : Printable(text); }

std::string Joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

Row MakeRow(const Candidate& candidate) {
  constexpr size_t kMaxPortsShown = 4;
  std::string ports;
  for (size_t i = 0; i < candidate.ports.size(); ++i) {
    if (i == kMaxPortsShown) {
      ports += ",…";
      break;
    }
    if (i > 0) ports += ',';
    ports += std::to_string(candidate.ports[i]);
  }
  return {std::to_string(candidate.pid),
          OrDash(candidate.executable),
          OrDash(candidate.language),
          OrDash(candidate.service_name),
          OrDash(candidate.pod.empty() ? candidate.container : candidate.pod),
          OrDash(candidate.unit),
          OrDash(ports),
          OrDash(Joined(candidate.tls)),
          OrDash(candidate.runtime),
          candidate.selected ? "yes" : "no",
          OrDash(candidate.rule)};
}

std::string ContainerOf(const Surroundings& around) {
  if (around.container != nullptr && !around.container->name.empty()) return around.container->name;
  constexpr size_t kShortId = 12;
  return around.membership.container_id.substr(0, kShortId);
}

std::array<size_t, kColumns> ColumnWidths(const std::vector<Row>& rows, size_t limit) {
  std::array<size_t, kColumns> widths{};
  size_t total = (kColumns - 1) * kGap;
  for (size_t column = 0; column < kColumns; ++column) {
    for (const Row& row : rows) widths[column] = std::max(widths[column], Width(row[column]));
    total += widths[column];
  }
  if (limit == 0) return widths;
  // What can be cut without losing the sense, the least needed first.
  for (const Column column : {kExecutable, kTls, kRuntime, kRule, kUnit, kContainer, kService}) {
    if (total <= limit) break;
    const size_t spare = widths[column] > kMinFlexible ? widths[column] - kMinFlexible : 0;
    const size_t cut = std::min(spare, total - limit);
    widths[column] -= cut;
    total -= cut;
  }
  return widths;
}

}  // namespace

std::vector<Candidate> ListCandidates(const ProcessReader& reader, const Selection& selection,
                                      const ServiceNameOf& service_name,
                                      const LibrariesOf& libraries) {
  std::vector<Candidate> candidates;
  const auto self = static_cast<uint32_t>(getpid());
  for (const CensusEntry& entry :
       TakeCensus(reader, selection, self, kFieldExe | kFieldArgs | kFieldPorts | kFieldWorkload)) {
    const ProcessFacts& facts = entry.facts;
    const RuntimeFacts runtime = reader.Runtime(facts);
    const bool program = facts.has_socket && runtime.language != Language::kGeneric;
    if (!entry.verdict.selected && !facts.has_tcp && !program) continue;
    Candidate& candidate = candidates.emplace_back();
    candidate.pid = facts.pid;
    candidate.executable = facts.exe.empty() ? facts.comm : facts.exe;
    candidate.language = LanguageName(runtime.language);
    candidate.service_name = service_name(facts.pid);
    candidate.container = ContainerOf(facts.around);
    if (const PodFacts* pod = facts.around.pod.get()) {
      candidate.pod = pod->namespace_name + "/" + pod->name;
    }
    candidate.unit = facts.around.membership.unit;
    candidate.ports = facts.listen_ports;
    Libraries found = libraries(facts.pid);
    candidate.tls = std::move(found.tls);
    candidate.runtime = std::move(found.runtime);
    candidate.selected = entry.verdict.selected;
    candidate.rule = entry.verdict.rule;
  }
  return candidates;
}

std::string ToTable(const std::vector<Candidate>& candidates, size_t width) {
  std::vector<Row> rows = {{"PID", "EXECUTABLE", "LANGUAGE", "SERVICE", "CONTAINER", "UNIT",
                            "PORTS", "TLS", "RUNTIME", "TRACED", "RULE"}};
  for (const Candidate& candidate : candidates) rows.push_back(MakeRow(candidate));
  const auto widths = ColumnWidths(rows, width);
  std::string table;
  for (const Row& row : rows) {
    std::string line;
    for (size_t column = 0; column < kColumns; ++column) {
      const std::string cell = Shorten(row[column], widths[column], column == kExecutable);
      const std::string padding(widths[column] - std::min(widths[column], Width(cell)), ' ');
      line += column == kPid ? padding + cell : cell + padding;  // numbers to the right
      line.append(kGap, ' ');
    }
    line.resize(line.find_last_not_of(' ') + 1);
    table += line + "\n";
  }
  return table;
}

std::string ToJson(const std::vector<Candidate>& candidates) {
  auto list = nlohmann::ordered_json::array();
  for (const Candidate& candidate : candidates) {
    list.push_back({{"pid", candidate.pid},
                    {"executable", candidate.executable},
                    {"language", candidate.language},
                    {"service.name", candidate.service_name},
                    {"container", candidate.container},
                    {"pod", candidate.pod},
                    {"unit", candidate.unit},
                    {"listen_ports", candidate.ports},
                    {"tls_library", Joined(candidate.tls)},
                    {"runtime", candidate.runtime},
                    {"selected", candidate.selected},
                    {"rule", candidate.rule}});
  }
  // Names are bytes: what is no UTF-8 is replaced.
  return list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace sonde::discovery
