// SPDX-License-Identifier: Apache-2.0
// `sonde processes`: which processes there are to trace, and what the selectors say to each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "discovery/selection.h"
#include "sonde/pipeline/process.h"

namespace sonde::discovery {

struct Candidate {
  uint32_t pid = 0;
  std::string executable;
  std::string language;
  std::string service_name;
  std::string container;  // its name, else its short id
  std::string pod;        // namespace/name; shown in the place of the container
  std::string unit;       // of systemd
  std::vector<uint16_t> ports;
  std::vector<std::string> tls;  // libraries it uses, and whether their text can be seen
  std::string runtime;           // whose executions are read, or why not
  bool selected = false;
  std::string rule;
};

// service.name of a process; the resource stage knows it.
using ServiceNameOf = std::function<std::string(uint32_t pid)>;
// What it has in its memory, in words; src/tls knows it.
struct Libraries {
  std::vector<std::string> tls;
  std::string runtime;
};
using LibrariesOf = std::function<Libraries(uint32_t pid)>;

// Processes that could have requests: selected ones, holders of a TCP socket, and programs of a
// known language that hold any socket. Ascending by pid.
std::vector<Candidate> ListCandidates(const ProcessReader& reader, const Selection& selection,
                                      const ServiceNameOf& service_name,
                                      const LibrariesOf& libraries);

// Aligned columns, at most `width` terminal columns per line (0 = no limit): the executable's path
// is shortened from the left, the rule from the right. Control characters are shown as '?'.
std::string ToTable(const std::vector<Candidate>& candidates, size_t width);

// One JSON array, objects with the keys pid, executable, language, service.name, container, pod,
// unit, listen_ports, tls_library, runtime, selected, rule.
std::string ToJson(const std::vector<Candidate>& candidates);

}  // namespace sonde::discovery
