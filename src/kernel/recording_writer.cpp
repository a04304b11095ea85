// SPDX-License-Identifier: Apache-2.0
#include "kernel/recording_writer.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "sonde/abi/recording.h"
#include "sonde/abi/version.h"
#include "sonde/base/result.h"

namespace sonde::kernel {

Result<std::unique_ptr<RecordingWriter>> RecordingWriter::Create(const std::string& path,
                                                                 int64_t wall_minus_mono_ns) {
  std::FILE* file = std::fopen(path.c_str(), "wbe");
  if (file == nullptr)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write recording ", path));
  sonde_recording_header header = {};
  std::memcpy(header.magic, SONDE_RECORDING_MAGIC, sizeof(header.magic));
  header.abi_major = SONDE_ABI_MAJOR;
  header.abi_minor = SONDE_ABI_MINOR;
  header.wall_minus_mono_ns = wall_minus_mono_ns;
  std::unique_ptr<RecordingWriter> writer(new RecordingWriter(file));
  writer->Write({reinterpret_cast<const char*>(&header), sizeof(header)});
  return writer;
}

void RecordingWriter::Write(std::string_view record) {
  if (failed_ || std::fwrite(record.data(), 1, record.size(), file_.get()) == record.size()) return;
  failed_ = true;
  spdlog::error("the recording ends here: {}", std::strerror(errno));
}

void RecordingWriter::WriteResource(uint32_t tgid, std::string_view json) {
  sonde_resource_record record = {};
  const size_t padded = (sizeof(record) + json.size() + 7) / 8 * 8;
  record.header.type = SONDE_RECORD_RESOURCE;
  record.header.size = static_cast<uint32_t>(padded);
  record.tgid = tgid;
  record.json_bytes = static_cast<uint32_t>(json.size());
  std::string bytes(padded, '\0');
  std::memcpy(bytes.data(), &record, sizeof(record));
  std::memcpy(bytes.data() + sizeof(record), json.data(), json.size());
  Write(bytes);
}

}  // namespace sonde::kernel
