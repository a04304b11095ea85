// SPDX-License-Identifier: Apache-2.0
#include "kernel/recording_reader.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "kernel/decode.h"
#include "kernel/recording_format.h"
#include "sonde/abi/record.h"
#include "sonde/abi/version.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel {
namespace {

constexpr uint64_t kTickNs = 10'000'000;

// 0 = no whole record there.
size_t RecordSize(std::string_view rest) {
  sonde_record_header header = {};
  if (rest.size() < sizeof(header)) return 0;
  std::memcpy(&header, rest.data(), sizeof(header));
  return header.size < sizeof(header) || header.size > rest.size() ? 0 : header.size;
}

}  // namespace

bool RecordingReader::IsRecording(std::string_view first_bytes) {
  return first_bytes.starts_with(std::string_view(kRecordingMagic, sizeof(kRecordingMagic)));
}

Result<RecordingReader> RecordingReader::Open(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return FromBytes(std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>()));
}

Result<RecordingReader> RecordingReader::FromBytes(std::string bytes) {
  RecordingHeader header = {};
  if (bytes.size() < sizeof(header) || !IsRecording(bytes)) {
    return absl::InvalidArgumentError("not a recording of sonde");
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.major != SONDE_ABI_MAJOR) {
    return absl::InvalidArgumentError(absl::StrCat("the recording has format ", header.major,
                                                   ", this version of sonde reads format ", SONDE_ABI_MAJOR));
  }
  RecordingReader reader;
  reader.wall_minus_mono_ns_ = header.wall_minus_mono_ns;
  reader.bytes_ = std::move(bytes);
  reader.end_ = sizeof(header);
  const std::string_view all = reader.bytes_;
  while (const size_t size = RecordSize(all.substr(reader.end_))) reader.end_ += size;
  reader.torn_bytes_ = all.size() - reader.end_;
  return reader;
}

template <typename Visit>
void RecordingReader::ForEach(Visit visit) const {
  std::string_view rest = std::string_view(bytes_).substr(sizeof(RecordingHeader), end_ - sizeof(RecordingHeader));
  while (const size_t size = RecordSize(rest)) {
    visit(rest.substr(0, size));
    rest.remove_prefix(size);
  }
}

void RecordingReader::ReadResources(const OnResource& on_resource) const {
  ForEach([&](std::string_view record) {
    ResourceRecord resource = {};
    if (record.size() < sizeof(resource)) return;
    std::memcpy(&resource, record.data(), sizeof(resource));
    if (resource.header.type != kResourceRecord || resource.text_bytes > record.size() - sizeof(resource)) return;
    on_resource(resource.tgid, record.substr(sizeof(resource), resource.text_bytes));
  });
}

void RecordingReader::Replay(EventHandler& handler) const {
  uint64_t ticked_ns = 0;
  uint64_t now_ns = 0;
  ForEach([&](std::string_view record) {
    sonde_record_header header = {};
    std::memcpy(&header, record.data(), sizeof(header));
    if (header.type >= kResourceRecord) return;
    now_ns = std::max(now_ns, static_cast<uint64_t>(header.mono_ns));
    if (now_ns - ticked_ns >= kTickNs) {
      handler.OnTick(now_ns);
      ticked_ns = now_ns;
    }
    Decode(record, handler);
  });
  handler.OnTick(now_ns);
}

}  // namespace sonde::kernel
