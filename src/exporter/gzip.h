// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace sonde::exporter {

// `data` as one gzip member (RFC 1952) in `out`, at zlib's fastest level: spans repeat themselves
// so much that higher levels cost several times the CPU for little. False only if memory is short.
bool Gzip(std::string_view data, std::string& out);

}  // namespace sonde::exporter
