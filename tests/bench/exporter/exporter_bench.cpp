// SPDX-License-Identifier: Apache-2.0
// What an exported span costs: CPU time in the column per_span. BM_ProtobufArena is the
// alternative to the hand-written encoder, measured beside it.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <google/protobuf/arena.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "exporter/console/console_exporter.h"
#include "exporter/exporter_set.h"
#include "exporter/file/file_exporter.h"
#include "exporter/file/line_file.h"
#include "exporter/gzip.h"
#include "exporter/otlp/json_encoder.h"
#include "exporter/otlp/protobuf_encoder.h"
#include "opentelemetry/proto/trace/v1/trace.pb.h"
#include "unit/exporter/samples.h"

namespace sonde::exporter {
namespace {

using std::chrono::steady_clock;

constexpr size_t kBatch = 512;

std::vector<Span> MakeBatch() {
  std::vector<std::shared_ptr<const Resource>> resources;
  for (int i = 0; i < 8; ++i) resources.push_back(MakeResource("service-" + std::to_string(i)));
  std::vector<Span> batch;
  for (size_t i = 0; i < kBatch; ++i)
    batch.push_back(ServerSpan(i + 1, resources[i % resources.size()]));
  return batch;
}

void Report(benchmark::State& state, size_t bytes) {
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
  state.counters["bytes/span"] = static_cast<double>(bytes) / kBatch;
  state.counters["per_span"] = benchmark::Counter(
      static_cast<double>(kBatch),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void BM_Protobuf(benchmark::State& state) {
  const std::vector<Span> batch = MakeBatch();
  ProtobufEncoder encoder;
  size_t bytes = 0;
  for (auto _ : state) benchmark::DoNotOptimize(bytes = encoder.Encode(batch).size());
  Report(state, bytes);
}
BENCHMARK(BM_Protobuf);

void BM_ProtobufArena(benchmark::State& state) {
  const std::vector<Span> batch = MakeBatch();
  std::string out;
  for (auto _ : state) {
    google::protobuf::Arena arena;
    auto* data =
        google::protobuf::Arena::CreateMessage<opentelemetry::proto::trace::v1::TracesData>(&arena);
    auto* scope = data->add_resource_spans()->add_scope_spans();
    for (const Span& span : batch) {
      auto* to = scope->add_spans();
      to->set_trace_id(span.trace_id.bytes.data(), 16);
      to->set_span_id(span.span_id.bytes.data(), 8);
      to->set_name(span.name);
      to->set_start_time_unix_nano(span.start_wall_ns);
      to->set_end_time_unix_nano(span.end_wall_ns);
      for (const Attribute& attribute : span.attributes) {
        auto* pair = to->add_attributes();
        pair->set_key(attribute.key.data(), attribute.key.size());
        if (const auto* text = std::get_if<std::string>(&attribute.value))
          pair->mutable_value()->set_string_value(*text);
        if (const auto* number = std::get_if<int64_t>(&attribute.value))
          pair->mutable_value()->set_int_value(*number);
      }
    }
    data->SerializeToString(&out);
    benchmark::DoNotOptimize(out);
  }
  Report(state, out.size());
}
BENCHMARK(BM_ProtobufArena);

void BM_Json(benchmark::State& state) {
  const std::vector<Span> batch = MakeBatch();
  JsonEncoder encoder;
  size_t bytes = 0;
  for (auto _ : state) benchmark::DoNotOptimize(bytes = encoder.Encode(batch).size());
  Report(state, bytes);
}
BENCHMARK(BM_Json);

void BM_ProtobufGzip(benchmark::State& state) {
  const std::vector<Span> batch = MakeBatch();
  ProtobufEncoder encoder;
  std::string out;
  for (auto _ : state) benchmark::DoNotOptimize(Gzip(encoder.Encode(batch), out));
  Report(state, out.size());
}
BENCHMARK(BM_ProtobufGzip);

void BM_File(benchmark::State& state) {
  char path[] = "/tmp/sonde-bench-XXXXXX";
  const int fd = mkstemp(path);
  unlink(path);
  FileExporter exporter(std::make_unique<LineFile>(fd, LineFile::Options{.path = "/dev/null"}));
  std::vector<Span> batch = MakeBatch();
  for (auto _ : state) {
    exporter.Export(batch, steady_clock::now() + std::chrono::seconds(1));
    state.PauseTiming();
    if (lseek(fd, 0, SEEK_CUR) > 256 << 20) {
      static_cast<void>(!ftruncate(fd, 0));
      lseek(fd, 0, SEEK_SET);
    }
    state.ResumeTiming();
  }
  Report(state, 0);
}
BENCHMARK(BM_File);

void BM_Console(benchmark::State& state, ConsoleFormat format) {
  const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
  ConsoleExporter exporter(format, fd);
  const std::vector<Span> batch = MakeBatch();
  for (auto _ : state) exporter.Export(batch, steady_clock::now() + std::chrono::seconds(1));
  Report(state, 0);
  close(fd);
}
BENCHMARK_CAPTURE(BM_Console, tree_beyond_its_limit, ConsoleFormat::kTree);
BENCHMARK_CAPTURE(BM_Console, line, ConsoleFormat::kLine);
BENCHMARK_CAPTURE(BM_Console, json, ConsoleFormat::kJson);

class Discard final : public SpanExporter {
 public:
  const char* name() const override { return "discard"; }
  ExportOutcome Export(std::span<const Span>, steady_clock::time_point) override { return {}; }
};

// The drain thread's share: move a span into the set, two exporters behind it. Making the span is
// not measured.
void BM_HandOver(benchmark::State& state) {
  MetricRegistry metrics;
  std::vector<std::unique_ptr<SpanExporter>> exporters;
  exporters.push_back(std::make_unique<Discard>());
  exporters.push_back(std::make_unique<Discard>());
  ExporterSet set(Labelled(std::move(exporters)), {}, metrics);
  const std::vector<Span> spans = MakeBatch();
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<Span> batch = spans;
    state.ResumeTiming();
    for (Span& span : batch) set.OnSpan(std::move(span));
  }
  Report(state, 0);
}
BENCHMARK(BM_HandOver);

}  // namespace
}  // namespace sonde::exporter
