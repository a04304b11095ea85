// SPDX-License-Identifier: Apache-2.0
#include "kernel/recording_reader.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <ios>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "kernel/decode.h"
#include "sonde/abi/record.h"
#include "sonde/abi/recording.h"
#include "sonde/abi/version.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel {
namespace {

constexpr uint64_t kTickNs = 10'000'000;
constexpr uint64_t kIdleTickNs = 100'000'000;
constexpr int kMaxIdleTicks = 36'000;  // an hour

// Ticks for a silence between two records, as a live run would have had them. Bounded, because a
// hostile file may claim centuries: the last tick comes from the caller in any case.
void TickThrough(uint64_t from_ns, uint64_t to_ns, EventHandler& handler) {
  for (int i = 0; i < kMaxIdleTicks && to_ns - from_ns > kIdleTickNs; ++i) {
    from_ns += kIdleTickNs;
    handler.OnTick(from_ns);
  }
}

// 0 = no whole record there.
size_t RecordSize(std::string_view rest) {
  sonde_record_header header = {};
  if (rest.size() < sizeof(header)) return 0;
  std::memcpy(&header, rest.data(), sizeof(header));
  const bool whole = header.size >= sizeof(header) && header.size <= rest.size();
  return whole && header.size <= SONDE_MAX_RECORD_BYTES ? header.size : 0;
}

}  // namespace

bool RecordingReader::IsRecording(std::string_view first_bytes) {
  return first_bytes.starts_with(std::string_view(SONDE_RECORDING_MAGIC));
}

Result<RecordingReader> RecordingReader::Open(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return FromBytes(
      std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>()));
}

Result<RecordingReader> RecordingReader::FromBytes(std::string bytes) {
  sonde_recording_header header = {};
  if (bytes.size() < sizeof(header) || !IsRecording(bytes)) {
    return absl::InvalidArgumentError("not a recording of sonde");
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.abi_major != SONDE_ABI_MAJOR) {
    return absl::InvalidArgumentError(absl::StrCat("the recording has format ", header.abi_major,
                                                   ", this version of sonde reads format ",
                                                   SONDE_ABI_MAJOR));
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
  std::string_view rest = std::string_view(bytes_).substr(sizeof(sonde_recording_header),
                                                          end_ - sizeof(sonde_recording_header));
  while (const size_t size = RecordSize(rest)) {
    visit(rest.substr(0, size));
    rest.remove_prefix(size);
  }
}

void RecordingReader::ReadResources(const OnResource& on_resource) const {
  ForEach([&](std::string_view record) {
    sonde_resource_record resource = {};
    if (record.size() < sizeof(resource)) return;
    std::memcpy(&resource, record.data(), sizeof(resource));
    if (resource.header.type != SONDE_RECORD_RESOURCE ||
        resource.json_bytes > record.size() - sizeof(resource))
      return;
    on_resource(resource.tgid, record.substr(sizeof(resource), resource.json_bytes));
  });
}

size_t RecordingReader::Replay(EventHandler& handler) const {
  uint64_t ticked_ns = 0;
  uint64_t now_ns = 0;
  size_t invalid = 0;
  ForEach([&](std::string_view record) {
    sonde_record_header header = {};
    std::memcpy(&header, record.data(), sizeof(header));
    if (header.type >= SONDE_RECORD_USER_FIRST) return;
    now_ns = std::max(now_ns, static_cast<uint64_t>(header.mono_ns));
    if (ticked_ns != 0) TickThrough(ticked_ns, now_ns, handler);
    if (now_ns - ticked_ns >= kTickNs) {
      handler.OnTick(now_ns);
      ticked_ns = now_ns;
    }
    invalid += Decode(record, handler) == DecodeOutcome::kInvalid ? 1 : 0;
  });
  handler.OnTick(now_ns);
  return invalid;
}

}  // namespace sonde::kernel
