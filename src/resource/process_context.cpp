// SPDX-License-Identifier: Apache-2.0
#include "resource/process_context.h"

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <opentelemetry/proto/common/v1/common.pb.h>
#include <opentelemetry/proto/resource/v1/resource.pb.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "resource/text.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/span.h"

namespace sonde::resource {
namespace {

namespace otlp = opentelemetry::proto;

constexpr size_t kMapsBytes = 4U << 20;
constexpr uint32_t kMaxPayloadBytes = 64U << 10;
constexpr int kMaxAttributes = 128;
constexpr uint32_t kVersion = 2;

// As it lies in the process's memory.
struct Header {
  char signature[8];
  uint32_t version;
  uint32_t payload_bytes;
  uint64_t published_ns;  // 0: being changed
  uint64_t payload;       // address
};
static_assert(sizeof(Header) == 32);

// "7f00-7f01 rw-p 00000000 00:01 77   /memfd:OTEL_CTX (deleted)".
std::optional<uint64_t> MappingStart(std::string_view line) {
  bool named = false;
  for (const std::string_view name :
       {" /memfd:OTEL_CTX", " [anon_shmem:OTEL_CTX]", " [anon:OTEL_CTX]"}) {
    named = named || line.find(name) != std::string_view::npos;
  }
  uint64_t start = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), start, 16);
  if (!named || error != std::errc() || end == line.data() + line.size() || *end != '-') {
    return std::nullopt;
  }
  return start;
}

std::optional<uint64_t> FindMapping(std::string_view maps) {
  while (!maps.empty()) {
    const std::string_view line = maps.substr(0, maps.find('\n'));
    maps.remove_prefix(std::min(line.size() + 1, maps.size()));
    if (const auto start = MappingStart(line)) return start;
  }
  return std::nullopt;
}

class Memory {
 public:
  explicit Memory(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Memory() {
    if (fd_ >= 0) close(fd_);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  bool Read(uint64_t address, void* into, size_t size) const {
    return fd_ >= 0 && address <= static_cast<uint64_t>(INT64_MAX) &&
           pread(fd_, into, size, static_cast<off_t>(address)) == static_cast<ssize_t>(size);
  }

 private:
  int fd_;
};

std::optional<AttributeValue> Value(const otlp::common::v1::AnyValue& value) {
  if (value.has_string_value()) return ToUtf8(value.string_value());
  if (value.has_int_value()) return value.int_value();
  if (value.has_double_value()) return value.double_value();
  if (value.has_bool_value()) return value.bool_value();
  if (!value.has_array_value()) return std::nullopt;
  std::vector<std::string> list;
  for (const auto& item : value.array_value().values()) {
    if (!item.has_string_value()) return std::nullopt;
    list.push_back(ToUtf8(item.string_value()));
  }
  return list;
}

bool IsName(std::string_view key) {
  constexpr size_t kMaxKeyBytes = 255;
  return !key.empty() && key.size() <= kMaxKeyBytes &&
         std::ranges::none_of(key, [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

bool HasNames(const otlp::resource::v1::Resource& resource) {
  return resource.attributes_size() > 0 &&
         std::ranges::all_of(resource.attributes(),
                             [](const auto& attribute) { return IsName(attribute.key()); });
}

// Field 1 of the payload, if that is a Resource.
std::optional<otlp::resource::v1::Resource> Inner(std::string_view payload) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(payload.data()),
                                            static_cast<int>(payload.size()));
  constexpr uint32_t kField1 = (1U << 3U) | 2U;
  uint32_t size = 0;
  std::string bytes;
  if (in.ReadTag() != kField1 || !in.ReadVarint32(&size) || size > payload.size() ||
      !in.ReadString(&bytes, static_cast<int>(size))) {
    return std::nullopt;
  }
  otlp::resource::v1::Resource resource;
  if (!resource.ParseFromString(bytes) || !HasNames(resource)) return std::nullopt;
  return resource;
}

}  // namespace

ProcessContext ParseProcessContext(std::string_view payload, bool* malformed) {
  auto resource = Inner(payload);
  if (!resource) {
    resource.emplace();
    const bool parsed = resource->ParseFromArray(payload.data(), static_cast<int>(payload.size()));
    if (!parsed || (!payload.empty() && !HasNames(*resource))) {
      *malformed = true;
      return {};
    }
  }
  ProcessContext context;
  for (const auto& attribute : resource->attributes()) {
    if (context.size() == kMaxAttributes) break;
    auto value = Value(attribute.value());
    if (value) context.emplace_back(ToUtf8(attribute.key()), *std::move(value));
  }
  return context;
}

ProcessContext ReadProcessContext(const std::string& proc, uint32_t pid, bool* malformed) {
  const std::string directory = std::to_string(pid);
  const auto maps = ProcessReader(proc).ReadFile(directory + "/maps", kMapsBytes);
  const auto start = maps ? FindMapping(*maps) : std::nullopt;
  if (!start) return {};
  const Memory memory(proc + "/" + directory + "/mem");
  Header header{};
  Header after{};
  if (!memory.Read(*start, &header, sizeof(header)) ||
      std::memcmp(header.signature, "OTEL_CTX", sizeof(header.signature)) != 0 ||
      header.published_ns == 0) {
    return {};  // not written yet, or just being changed
  }
  *malformed = header.version != kVersion || header.payload_bytes > kMaxPayloadBytes;
  if (*malformed) return {};
  std::string payload(header.payload_bytes, '\0');
  if (!memory.Read(header.payload, payload.data(), payload.size())) {
    *malformed = true;
    return {};
  }
  // Changed in between: the next time will tell.
  if (!memory.Read(*start, &after, sizeof(after)) || after.published_ns != header.published_ns) {
    return {};
  }
  return ParseProcessContext(payload, malformed);
}

}  // namespace sonde::resource
