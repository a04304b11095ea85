// SPDX-License-Identifier: Apache-2.0
// A span and its resource in OpenTelemetry's data model, as they travel from the span stage to the
// exporters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/pipeline/exchange.h"

namespace sonde {

using AttributeValue = std::variant<std::string, int64_t, double, bool, std::vector<std::string>>;

// `key` points to a literal or to a string interned for the life of the process (configured header
// names): keys are few and a span has a dozen of them, so they are never copied.
struct Attribute {
  std::string_view key;
  AttributeValue value;
};

using Attributes = std::vector<Attribute>;

// First value under `key`, or null.
const AttributeValue* FindAttribute(const Attributes& attributes, std::string_view key);

// Same numbers as OTLP Span.SpanKind.
enum class SpanKind : uint8_t {
  kInternal = 1,
  kServer = 2,
  kClient = 3,
  kProducer = 4,
  kConsumer = 5
};

// Same numbers as OTLP Status.StatusCode.
enum class SpanStatus : uint8_t { kUnset = 0, kOk = 1, kError = 2 };

struct SpanLink {
  TraceId trace_id;
  SpanId span_id;
  Attributes attributes;
};

struct RuleSettings;

// What is known about the process behind spans: service.*, process.*, host.*, os.*, telemetry.sdk.*
// ... Immutable.
struct Resource {
  Attributes attributes;
  std::string service_name;  // also among the attributes
  // Of the rule that chose the process, shared with it; null: none of its own.
  std::shared_ptr<const RuleSettings> rule = {};
};

struct Span {
  TraceId trace_id;
  SpanId span_id;
  SpanId parent_span_id;    // invalid = root
  uint8_t trace_flags = 1;  // W3C trace-flags
  std::string tracestate;
  SpanKind kind = SpanKind::kInternal;
  SpanStatus status = SpanStatus::kUnset;
  bool parent_is_remote = false;  // the parent came in by header: OTLP flags bits 8 and 9
  // The trace came in by header, here or at an ancestor on this host, with the decision whether it
  // is sampled. Not so where the header leaves that to the receiver.
  bool trace_from_header = false;
  std::string status_message;
  std::string name;
  uint64_t start_wall_ns = 0;
  uint64_t end_wall_ns = 0;
  Attributes attributes;
  std::vector<SpanLink> links;

  // Not exported: what later stages need.
  uint32_t tgid = 0;
  uint32_t root_tgid = 0;  // where the trace began on this host
  // Of the rule that chose that process: what the sampler goes by. Shared with the processes.
  std::shared_ptr<const RuleSettings> root_rule = {};
  uint32_t tid = 0;         // who moved the first byte of the request; 0 = not seen
  uint32_t answer_tid = 0;  // and of the response
  const char* protocol = "";
  uint64_t end_mono_ns = 0;
  uint64_t metric_class = 0;  // given by the metrics stage to know the span again; 0 = none
  // Shared by every span of one process, the process table and queued batches on the export thread;
  // immutable.
  std::shared_ptr<const Resource> resource;
};

// One step of the road: trace -> resource -> sampler -> exporter. Drain thread.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual void OnSpan(Span&& span) = 0;
};

}  // namespace sonde
