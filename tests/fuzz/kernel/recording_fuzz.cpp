// SPDX-License-Identifier: Apache-2.0
// Any bytes as a recording: refused, or replayed with ticks that never go back and are bounded by
// its records.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "kernel/recording_reader.h"
#include "sonde/abi/recording.h"
#include "sonde/pipeline/event.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

class Judge : public sonde::EventHandler {
 public:
  void OnOpen(const sonde::OpenEvent& event) override { Event(event.mono_ns); }
  void OnData(const sonde::DataEvent& event) override { Event(event.mono_ns); }
  void OnShutdown(const sonde::ShutdownEvent& event) override { Event(event.mono_ns); }
  void OnProcess(const sonde::ProcessEvent& event) override { Event(event.mono_ns); }
  void OnTick(uint64_t mono_ns) override {
    Require(mono_ns >= ticked_ns);
    ticked_ns = mono_ns;
  }

  size_t events = 0;
  uint64_t latest_ns = 0;
  uint64_t ticked_ns = 0;

 private:
  void Event(uint64_t mono_ns) {
    ++events;
    latest_ns = mono_ns > latest_ns ? mono_ns : latest_ns;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto reader =
      sonde::kernel::RecordingReader::FromBytes({reinterpret_cast<const char*>(data), size});
  if (!reader.ok()) return 0;
  Require(reader->torn_bytes() <= size - sizeof(sonde_recording_header));
  size_t json_bytes = 0;
  reader->ReadResources([&](uint32_t, std::string_view json) { json_bytes += json.size(); });
  Require(json_bytes <= size);
  Judge judge;
  const size_t invalid = reader->Replay(judge);
  Require(judge.events + invalid <= size / sizeof(sonde_record_header));
  Require(judge.ticked_ns >= judge.latest_ns);
  return 0;
}
