// SPDX-License-Identifier: Apache-2.0
// Which TLS library is in a file, and whether its text can be seen. Reads, attaches nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/result.h"
#include "sonde/probe/tls.h"

namespace sonde::tls {

struct Inspection {
  std::string_view library;  // empty: none in this file
  Status status;             // not OK: seen, not decoded, because ...
  probe::TlsPlan plan;
};

// `file` stays the caller's.
Inspection InspectFile(int file);

// Of a whole process, in words: "openssl 3.0.19", "rustls: seen, not decoded, because ...". One
// entry per library, those that can be decoded first.
std::vector<std::string> DescribeProcess(const std::string& proc, uint32_t tgid);

}  // namespace sonde::tls
