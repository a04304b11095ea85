// SPDX-License-Identifier: Apache-2.0
#include "exporter/gzip.h"

#include <zconf.h>
#include <zlib.h>

#include <string>
#include <string_view>

namespace sonde::exporter {

bool Gzip(std::string_view data, std::string& out) {
  constexpr int kGzipWindow = 15 + 16;  // zlib: largest window, plus 16 for a gzip wrapper
  constexpr int kMemoryLevel = 8;       // zlib's default
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return false;
  }
  out.resize(deflateBound(&stream, static_cast<uLong>(data.size())));
  // zlib does not write through next_in; its type predates const.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool ok = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return ok;
}

}  // namespace sonde::exporter
