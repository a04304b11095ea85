// SPDX-License-Identifier: Apache-2.0
// Which TLS library and which language runtime are in a file, whether the text of the one and the
// executions of the other can be seen. Reads, attaches nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"
#include "sonde/probe/tls.h"

namespace sonde::tls {

struct Inspection {
  std::string_view library;  // empty: none in this file
  Status status;             // not OK: seen, not decoded, because ...
  probe::TlsPlan plan;
  std::string_view runtime;  // empty: none in this file
  sonde_runtime_kind runtime_kind = SONDE_RUNTIME_NONE;
  Status runtime_status;  // not OK: not linked, because ...
  probe::RuntimePlan runtime_plan;
  uint64_t first_address = 0;  // at which the file says that its first page is to be mapped
};

// `file` stays the caller's.
Inspection InspectFile(int file);

// Of a whole process, in words.
struct Description {
  // "openssl 3.0.19", "rustls: seen, not decoded, because ...". One entry per library, those that
  // can be decoded first.
  std::vector<std::string> tls;
  // "cpython 3.11.2", "tokio: not linked, because ..."; empty: none that is known.
  std::string runtime;
};
Description DescribeProcess(const std::string& proc, uint32_t tgid);

}  // namespace sonde::tls
