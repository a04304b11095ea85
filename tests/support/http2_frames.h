// SPDX-License-Identifier: Apache-2.0
// Makes the bytes of one HTTP/2 direction: frames by hand, header blocks by nghttp2's encoder.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/http2/types.h"

namespace sonde::testing {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string Number(uint32_t value, size_t size) {
  std::string bytes;
  for (size_t i = size; i-- > 0;) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

inline std::string MakeFrame(protocol::http2::FrameType type, uint32_t flags, uint32_t stream,
                             std::string_view payload) {
  std::string bytes = Number(static_cast<uint32_t>(payload.size()), 3);
  bytes.push_back(static_cast<char>(type));
  bytes.push_back(static_cast<char>(flags));
  return bytes + Number(stream, 4) + std::string(payload);
}

class Http2Writer {
 public:
  using Type = protocol::http2::FrameType;

  Http2Writer() { nghttp2_hd_deflate_new(&deflater_, 4096); }
  ~Http2Writer() { nghttp2_hd_deflate_del(deflater_); }
  Http2Writer(const Http2Writer&) = delete;
  Http2Writer& operator=(const Http2Writer&) = delete;

  void ChangeTableSize(size_t bytes) { nghttp2_hd_deflate_change_table_size(deflater_, bytes); }

  std::string Block(const Fields& fields) {
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields) {
      list.push_back({.name = Bytes(name),
                      .value = Bytes(value),
                      .namelen = name.size(),
                      .valuelen = value.size(),
                      .flags = NGHTTP2_NV_FLAG_NONE});
    }
    std::string out(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()), '\0');
    const auto size =
        nghttp2_hd_deflate_hd(deflater_, Bytes(out), out.size(), list.data(), list.size());
    out.resize(static_cast<size_t>(size));
    return out;
  }

  std::string Headers(uint32_t stream, const Fields& fields, bool end) {
    return MakeFrame(Type::kHeaders, 4U | (end ? 1U : 0U), stream, Block(fields));
  }
  // HEADERS and CONTINUATIONs of at most `size` bytes of block each.
  std::string Split(uint32_t stream, const Fields& fields, bool end, size_t size) {
    const std::string block = Block(fields);
    std::string bytes;
    for (size_t at = 0; at < block.size() || at == 0; at += size) {
      const uint32_t last = at + size >= block.size() ? 4 : 0;
      const uint32_t flags = at == 0 && end ? last | 1U : last;
      bytes += MakeFrame(at == 0 ? Type::kHeaders : Type::kContinuation, flags, stream,
                         std::string_view(block).substr(at, size));
    }
    return bytes;
  }
  static std::string Data(uint32_t stream, std::string_view bytes, bool end) {
    return MakeFrame(Type::kData, end ? 1 : 0, stream, bytes);
  }
  static std::string Settings() { return MakeFrame(Type::kSettings, 0, 0, std::string(6, '\1')); }
  static std::string Reset(uint32_t stream, uint32_t code) {
    return MakeFrame(Type::kRstStream, 0, stream, Number(code, 4));
  }

 private:
  static uint8_t* Bytes(const std::string& text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  }

  nghttp2_hd_deflater* deflater_ = nullptr;
};

}  // namespace sonde::testing
