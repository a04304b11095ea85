// SPDX-License-Identifier: Apache-2.0
// What a queue on disk may hold after a crash, a bit flip or a hand: the first byte picks a file of
// batches, or the bytes of one batch.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <ios>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/otlp/protobuf_decoder.h"
#include "exporter/otlp/protobuf_encoder.h"
#include "exporter/queue/segment.h"

namespace {

using sonde::exporter::Segment;
using sonde::exporter::SegmentRecord;

// What was read once reads the same ever after: encoded again it gives the same bytes.
void ReadBatch(std::string_view bytes) {
  using sonde::exporter::DecodeProtobuf;
  using sonde::exporter::ProtobufEncoder;
  const auto spans = DecodeProtobuf(bytes);
  if (spans == nullptr) return;
  ProtobufEncoder encoder;
  const std::string once(encoder.Encode(*spans));
  const auto again = DecodeProtobuf(once);
  if (again == nullptr || again->size() != spans->size()) std::abort();
  if (encoder.Encode(*again) != once) std::abort();
}

void ReadFile(std::string_view bytes) {
  static const std::string path = "/tmp/sonde-queue-fuzz-" + std::to_string(getpid());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  {
    auto segment = Segment::Open(path);
    if (!segment.ok()) std::abort();
    const std::vector<SegmentRecord> records = segment->Walk();
    uint64_t end = 0;
    for (const SegmentRecord& record : records) {
      if (record.offset < end) std::abort();  // they do not overlap, and lie in the file
      end = record.offset + Segment::kHeaderBytes + record.bytes;
      if (end > bytes.size()) std::abort();
      const auto body = segment->Read(record);
      if (body.ok()) ReadBatch(*body);
      if (!segment->MarkDone(record).ok()) std::abort();
    }
    if (!segment->Walk().empty()) std::abort();
  }
  unlink(path.c_str());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  (data[0] % 2 == 0) ? ReadFile(rest) : ReadBatch(rest);
  return 0;
}
