// SPDX-License-Identifier: Apache-2.0
#include "config/key_table.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"
#include "config/kubernetes_keys.h"
#include "config/metric_keys.h"
#include "config/pairs.h"
#include "config/redaction_keys.h"
#include "config/rule_keys.h"
#include "config/selectors.h"
#include "config/tail_sampling_keys.h"
#include "config/telemetry_types.h"
#include "config/text_rules.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr uint64_t kKiB = 1U << 10;
constexpr uint64_t kMiB = 1U << 20;
constexpr uint64_t kGiB = 1U << 30;
constexpr Milliseconds kShortest{1};

using LogChoice = std::pair<std::string, LogLevel>;
const std::vector<LogChoice>& LogLevels() {
  static const std::vector<LogChoice> levels{
      {"trace", LogLevel::kTrace}, {"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo},
      {"warn", LogLevel::kWarn},   {"error", LogLevel::kError}, {"off", LogLevel::kOff}};
  return levels;
}

// Rows of the names that OpenTelemetry's declarative configuration has.
void AddOtelKeys(KeyTable& t) {
  t.push_back({"file_format",
               "",
               "",
               {},
               "Version of OpenTelemetry's file format, 1.0 or 1.x.",
               Text([](Draft& d) -> auto& { return d.file_format; }, FileFormat())});
  t.push_back(
      {"log_level",
       "--log-level",
       "LEVEL",
       {"OTEL_LOG_LEVEL"},
       "Logs of this level and above go to standard error.",
       Choice<LogLevel>([](Draft& d) -> auto& { return d.config.log.level; }, LogLevels())});
  const auto attributes = [](Draft& d) -> auto& { return d.config.resource.attributes; };
  t.push_back({"resource.attributes",
               "--resource",
               "K=V",
               {"OTEL_RESOURCE_ATTRIBUTES"},
               "Resource attributes of every span; what a traced process says of itself wins.",
               PairList(attributes, {AttributeName(), false})});
  t.push_back({"resource.attributes_list",
               "",
               "",
               {},
               "The same as one text, k=v,k2=v2; the list form wins.",
               PairText(attributes, {AttributeName(), false}, "resource.attributes")});
  t.push_back({"",
               "--service-name",
               "NAME",
               {"OTEL_SERVICE_NAME"},
               "service.name of processes that do not say their own.",
               ServiceName()});
  t.push_back(
      {"attribute_limits.attribute_value_length_limit",
       "",
       "",
       {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"},
       "Longer attribute values are cut to this many bytes.",
       Count([](Draft& d) -> auto& { return d.config.attribute_limits.value_length; }, 0, kMiB)});
  t.push_back(
      {"attribute_limits.attribute_count_limit",
       "",
       "",
       {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"},
       "Attributes of a span beyond this many are dropped and counted.",
       Count([](Draft& d) -> auto& { return d.config.attribute_limits.count; }, 0, 10'000)});
  t.push_back({"propagator.composite",
               "",
               "",
               {"OTEL_PROPAGATORS"},
               "Context headers that are read, in this order of preference.",
               PropagatorList()});
  t.push_back({"propagator.composite_list",
               "",
               "",
               {},
               "More of them as one text, separated by commas.",
               PropagatorText()});
  t.push_back({"tracer_provider.sampler",
               "",
               "",
               {"OTEL_TRACES_SAMPLER"},
               "Which traces are kept.",
               SamplerValue([](Draft& d) -> auto& { return d.config.sampler; })});
  t.push_back(
      {"",
       "",
       "",
       {"OTEL_TRACES_SAMPLER_ARG"},
       "Ratio of the traceidratio samplers, from 0 to 1; traces per second of rate_limiting.",
       SamplerArgument()});
  t.push_back({"tracer_provider.processors",
               "",
               "",
               {},
               "One entry per exporter, batch settings the same in all.",
               ProcessorList()});
  t.push_back({"meter_provider.readers",
               "",
               "",
               {},
               "One entry per receiver that metrics are pushed to; none by default.",
               MetricReaderList()});
}

void AddSelectorKeys(KeyTable& t) {
  for (const auto& [kind, name, value, doc] : SelectorNames()) {
    const std::string key(name);
    t.push_back({"sonde.discovery.include." + key,
                 "--" + key,
                 std::string(value),
                 {},
                 std::string(doc),
                 SelectorList(kind, false)});
  }
  for (const auto& [kind, name, value, doc] : SelectorNames()) {
    if (kind == SelectorKind::kAll) continue;
    t.push_back({"sonde.discovery.exclude." + std::string(name),
                 "",
                 "",
                 {},
                 "Such processes are never traced.",
                 SelectorList(kind, true)});
  }
  AddRuleListKeys(t);
}

void AddCaptureKeys(KeyTable& t) {
  t.push_back({"sonde.capture.probes",
               "--probes",
               "FAMILY[,...]",
               {"SONDE_PROBES"},
               "Only these probe families, as `sonde doctor` names them.",
               TextList([](Draft& d) -> auto& { return d.config.capture.probes; },
                        {.each = FamilyName()})});
  t.push_back({"sonde.capture.no_probes",
               "--no-probes",
               "FAMILY[,...]",
               {"SONDE_NO_PROBES"},
               "Never these probe families.",
               TextList([](Draft& d) -> auto& { return d.config.capture.no_probes; },
                        {.each = FamilyName()})});
  t.push_back({"sonde.capture.ring_size",
               "",
               "",
               {},
               "Ring buffer between kernel and agent.",
               Size([](Draft& d) -> auto& { return d.config.capture.ring_bytes; }, 256 * kKiB, kGiB,
                    true)});
  t.push_back({"sonde.limits.connection_memory",
               "",
               "",
               {},
               "Buffered bytes per connection; beyond, bytes are skipped and counted.",
               Size([](Draft& d) -> auto& { return d.config.limits.connection_bytes; }, 8 * kKiB,
                    64 * kMiB)});
  t.push_back({"sonde.limits.total_connection_memory",
               "",
               "",
               {},
               "Buffered bytes over all connections.",
               Size([](Draft& d) -> auto& { return d.config.limits.total_connection_bytes; },
                    64 * kKiB, 4 * kGiB)});
  t.push_back({"sonde.limits.memory",
               "",
               "",
               {},
               "Resident memory of the whole agent; near it spans are shed and counted.",
               Size([](Draft& d) -> auto& { return d.config.limits.memory_bytes; }, 64 * kMiB,
                    1024 * kGiB)});
  t.push_back(
      {"sonde.limits.connections",
       "",
       "",
       {},
       "Connections tracked at once; beyond, the idlest is forgotten.",
       Count([](Draft& d) -> auto& { return d.config.limits.max_connections; }, 16, 10'000'000)});
  t.push_back({"sonde.limits.head_size",
               "",
               "",
               {},
               "Longest request or response head that is parsed.",
               Size([](Draft& d) -> auto& { return d.config.limits.max_head_bytes; }, kKiB, kMiB)});
  t.push_back({"sonde.limits.exchange_timeout",
               "",
               "",
               {},
               "A request open for longer is closed as unfinished.",
               Duration([](Draft& d) -> auto& { return d.config.limits.exchange_timeout; },
                        seconds(1), hours(48))});
}

void AddTraceKeys(KeyTable& t) {
  t.push_back(
      {"sonde.linking.hold",
       "",
       "",
       {},
       "How long a finished span waits for the request that caused it.",
       Duration([](Draft& d) -> auto& { return d.config.linking.hold; }, kShortest, minutes(10))});
  t.push_back(
      {"sonde.linking.held_spans",
       "",
       "",
       {},
       "Spans that may wait so at once.",
       Count([](Draft& d) -> auto& { return d.config.linking.max_held_spans; }, 0, 10'000'000)});
  t.push_back(
      {"sonde.linking.sdk_processes",
       "",
       "",
       {},
       "Processes that have tracing of their own: complement leaves out the spans that they "
       "make themselves, skip all their spans, duplicate none.",
       Choice<SdkPolicy>([](Draft& d) -> auto& { return d.config.linking.sdk_processes; },
                         {{"complement", SdkPolicy::kComplement},
                          {"skip", SdkPolicy::kSkip},
                          {"duplicate", SdkPolicy::kDuplicate}})});
  t.push_back({"sonde.linking.guesses",
               "",
               "",
               {},
               "Calls whose parent is likely but not certain get a span link to it, with "
               "sonde.link.confidence.",
               Flag([](Draft& d) -> auto& { return d.config.linking.guesses; })});
  t.push_back({"sonde.linking.hot_wakes",
               "",
               "",
               {},
               "Links through pools of Go workers, by a probe that costs the program about 1.5 us "
               "each time a goroutine is made runnable.",
               Flag([](Draft& d) -> auto& { return d.config.linking.hot_wakes; })});
  t.push_back({"sonde.routes.patterns",
               "",
               "",
               {},
               "Routes such as /users/{id}, tried before the learnt ones.",
               TextList([](Draft& d) -> auto& { return d.config.routes.patterns; },
                        {.each = RoutePattern(), .commas = false})});
  t.push_back(
      {"sonde.routes.max_per_service",
       "",
       "",
       {},
       "Learnt routes of a service; beyond, one overflow name.",
       Count([](Draft& d) -> auto& { return d.config.routes.max_per_service; }, 1, 100'000)});
  AddRedactionKeys(
      t, "sonde.redaction.",
      {.request_headers = [](Draft& d) -> auto& { return d.config.redaction.request_headers; },
       .response_headers = [](Draft& d) -> auto& { return d.config.redaction.response_headers; },
       .query_keys = [](Draft& d) -> auto& { return d.config.redaction.query_keys; },
       .baggage_keys = [](Draft& d) -> auto& { return d.config.redaction.baggage_keys; }});
}

void AddResourceKeys(KeyTable& t) {
  t.push_back({"sonde.resource.container_labels",
               "",
               "",
               {},
               "Labels of containers that become container.label.KEY, as patterns such as team or "
               "com.example.*; those that selectors name do too.",
               TextList([](Draft& d) -> auto& { return d.config.resource.container_labels; },
                        {.each = {"a pattern", nullptr, ""}})});
  t.push_back(
      {"sonde.resource.host_root",
       "",
       "",
       {},
       "Directory where the host's files are mounted, if sonde runs in a container: sockets "
       "and state files of container runtimes are looked for beneath.",
       Text([](Draft& d) -> auto& { return d.config.resource.host_root; }, FilePath())});
  t.push_back({"sonde.resource.command_line",
               "",
               "",
               {},
               "process.command_args of the traced processes; what looks like a credential is "
               "replaced.",
               Flag([](Draft& d) -> auto& { return d.config.resource.command_line; })});
  t.push_back(
      {"sonde.resource.cloud",
       "",
       "",
       {},
       "Clouds whose metadata service is asked about this host, at 169.254.169.254: aws, gcp, "
       "azure. Default: none.",
       TextList([](Draft& d) -> auto& { return d.config.resource.cloud; },
                {.each = {"aws, gcp or azure",
                          [](std::string_view text) {
                            return text == "aws" || text == "gcp" || text == "azure";
                          },
                          "^(aws|gcp|azure)$"}})});
  t.push_back(
      {"sonde.resource.peers",
       "",
       "",
       {},
       "Spans of calls say which service was called (service.peer.name), where that is known "
       "on this host.",
       Flag([](Draft& d) -> auto& { return d.config.resource.peers; })});
  t.push_back({"sonde.resource.hold",
               "",
               "",
               {},
               "How long spans wait for the description of their container; 0s: not at all.",
               Duration([](Draft& d) -> auto& { return d.config.resource.hold; }, Milliseconds(0),
                        seconds(30))});
}

void AddOwnKeys(KeyTable& t) {
  t.push_back({"sonde.admin.listen",
               "--listen",
               "HOST:PORT|off",
               {"SONDE_LISTEN"},
               "Address of /healthz, /readyz, /metrics and /links; for replay off unless given.",
               Text([](Draft& d) -> auto& { return d.config.admin.listen; }, ListenAddress())});
  t.push_back({"sonde.admin.traces",
               "",
               "",
               {},
               "Newest spans that /api/traces shows; 0 switches /api off. Unless it is given, they "
               "are shown on loopback only.",
               Count([](Draft& d) -> auto& { return d.config.admin.traces; }, 0, 1'000'000)});
  t.push_back(
      {"sonde.admin.trace_requests",
       "",
       "",
       {},
       "Newest requests that /api/trace-at finds by process, thread and time.",
       Count([](Draft& d) -> auto& { return d.config.admin.trace_requests; }, 0, 10'000'000)});
  t.push_back({"sonde.queue.directory",
               "--queue-dir",
               "DIR",
               {"SONDE_QUEUE_DIR"},
               "Keeps batches that are not delivered yet in this directory, across restarts.",
               Text([](Draft& d) -> auto& { return d.config.queue.directory; }, FilePath())});
  t.push_back(
      {"sonde.queue.max_size",
       "",
       "",
       {},
       "Bytes on disk of one exporter's queue; beyond, batches wait in memory only.",
       Size([](Draft& d) -> auto& { return d.config.queue.max_bytes; }, kMiB, 1024 * kGiB)});
  t.push_back({"sonde.queue.max_age",
               "",
               "",
               {},
               "A batch that could not be delivered for so long is dropped and counted.",
               Duration([](Draft& d) -> auto& { return d.config.queue.max_age; }, seconds(1),
                        hours(24 * 90))});
  t.push_back({"sonde.console.format",
               "--console-format",
               "tree|line|json",
               {"SONDE_CONSOLE_FORMAT"},
               "How traces look in the terminal.",
               Choice<ConsoleFormat>([](Draft& d) -> auto& { return d.console_format; },
                                     {{"tree", ConsoleFormat::kTree},
                                      {"line", ConsoleFormat::kLine},
                                      {"json", ConsoleFormat::kJson}})});
  t.push_back({"sonde.log.format",
               "--log-format",
               "text|json",
               {"SONDE_LOG_FORMAT"},
               "How log lines look.",
               Choice<bool>([](Draft& d) -> auto& { return d.config.log.json; },
                            {{"text", false}, {"json", true}})});
  t.push_back({"sonde.shutdown_timeout",
               "--shutdown-timeout",
               "TIME",
               {"SONDE_SHUTDOWN_TIMEOUT"},
               "How long a stop may take to deliver what is left.",
               Duration([](Draft& d) -> auto& { return d.config.shutdown_timeout; },
                        Milliseconds(0), minutes(10))});
  t.push_back({"",
               "--record",
               "FILE",
               {},
               "Also write the kernel events, for `sonde replay`.",
               Text([](Draft& d) -> auto& { return d.config.record_file; }, FilePath())});
  t.push_back({"",
               "--duration",
               "TIME",
               {},
               "Stop after this time.",
               OptionalDuration([](Draft& d) -> auto& { return d.config.duration; }, kShortest,
                                hours(24 * 90))});
}

}  // namespace

const KeyTable& MainKeys() {
  static const KeyTable table = [] {
    KeyTable t;
    AddOtelKeys(t);
    AddSelectorKeys(t);
    AddCaptureKeys(t);
    AddTraceKeys(t);
    AddTailSamplingKeys(t);
    AddMetricKeys(t);
    AddResourceKeys(t);
    AddKubernetesKeys(t);
    AddOwnKeys(t);
    return t;
  }();
  return table;
}

const KeyTable& BatchKeys() {
  static const KeyTable table{
      {"schedule_delay",
       "",
       "",
       {"OTEL_BSP_SCHEDULE_DELAY"},
       "Spans wait at most this long for a batch to fill.",
       OtelDuration([](Draft& d) -> auto& { return d.config.batch.schedule_delay; }, kShortest,
                    hours(1))},
      {"export_timeout",
       "",
       "",
       {"OTEL_BSP_EXPORT_TIMEOUT"},
       "An export may take this long, retries included.",
       OtelDuration([](Draft& d) -> auto& { return d.config.batch.export_timeout; }, kShortest,
                    hours(1))},
      {"max_queue_size",
       "",
       "",
       {"OTEL_BSP_MAX_QUEUE_SIZE"},
       "Spans waiting for an exporter; beyond, they are dropped and counted.",
       Count([](Draft& d) -> auto& { return d.config.batch.max_queue_size; }, 1, 10'000'000)},
      {"max_export_batch_size",
       "",
       "",
       {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE"},
       "Spans in one export.",
       Count([](Draft& d) -> auto& { return d.config.batch.max_export_batch_size; }, 1, 100'000)},
  };
  return table;
}

}  // namespace sonde::config
