// SPDX-License-Identifier: Apache-2.0
// Any bytes as one record: refused, skipped, or one event whose views lie inside the record.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/decode.h"
#include "sonde/abi/record.h"
#include "sonde/pipeline/event.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

class Judge : public sonde::EventHandler {
 public:
  explicit Judge(std::string_view record) : record_(record) {}

  void OnOpen(const sonde::OpenEvent& event) override {
    ++events;
    Require(event.local.path.size() <= sizeof(sonde_open_record::path));
    Require(event.local.AddressText().find('\0') == std::string::npos || !event.local.path.empty());
  }
  void OnData(const sonde::DataEvent& event) override {
    ++events;
    Require(event.length > 0 && uint64_t{event.prefix.size()} + event.tail.size() <= event.length);
    for (const std::string_view view : {event.prefix, event.tail}) {
      Require(view.data() >= record_.data() &&
              view.data() + view.size() <= record_.data() + record_.size());
    }
  }
  void OnShutdown(const sonde::ShutdownEvent& event) override {
    ++events;
    Require(event.receive || event.send);
  }
  void OnProcess(const sonde::ProcessEvent& event) override {
    ++events;
    Require(event.comm.size() <= SONDE_COMM_BYTES && event.program.size() <= SONDE_PROGRAM_BYTES);
  }
  void OnMapped(const sonde::MappedEvent& /*event*/) override { ++events; }
  void OnExecution(const sonde::ExecutionEvent& /*event*/) override { ++events; }
  void OnTick(uint64_t) override { std::abort(); }

  int events = 0;

 private:
  std::string_view record_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view record(reinterpret_cast<const char*>(data), size);
  Judge judge(record);
  const auto outcome = sonde::kernel::Decode(record, judge);
  Require(judge.events == (outcome == sonde::kernel::DecodeOutcome::kDone ? 1 : 0));
  return 0;
}
