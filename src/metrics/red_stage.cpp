// SPDX-License-Identifier: Apache-2.0
#include "metrics/red_stage.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "metrics/active_requests.h"
#include "metrics/attribute_key.h"
#include "metrics/instrument.h"
#include "metrics/series.h"
#include "metrics/series_store.h"
#include "metrics/span_facts.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {
namespace {

constexpr uint64_t kLookForStaleNs = 10'000'000'000;
constexpr double kNanosecondsPerSecond = 1e9;
constexpr double kNanosecondsPerMillisecond = 1e6;

// What tells spans apart in metrics. A server's own address is left out, as the conventions have it
// by default: whoever sends requests chooses it.
constexpr std::array kServerFacts{Fact::kErrorType, Fact::kHttpMethod, Fact::kHttpStatus,
                                  Fact::kHttpRoute, Fact::kUrlScheme,  Fact::kProtocolVersion,
                                  Fact::kRpcSystem, Fact::kRpcMethod,  Fact::kRpcStatus};
constexpr std::array kClientFacts{Fact::kErrorType,       Fact::kHttpMethod,    Fact::kHttpStatus,
                                  Fact::kProtocolVersion, Fact::kRpcSystem,     Fact::kRpcMethod,
                                  Fact::kRpcStatus,       Fact::kServerAddress, Fact::kServerPort};

std::string KindName(SpanKind kind) {
  switch (kind) {
    case SpanKind::kServer:
      return "SPAN_KIND_SERVER";
    case SpanKind::kClient:
      return "SPAN_KIND_CLIENT";
    case SpanKind::kProducer:
      return "SPAN_KIND_PRODUCER";
    case SpanKind::kConsumer:
      return "SPAN_KIND_CONSUMER";
    case SpanKind::kInternal:
      break;
  }
  return "SPAN_KIND_INTERNAL";
}

std::string StatusName(SpanStatus status) {
  switch (status) {
    case SpanStatus::kOk:
      return "STATUS_CODE_OK";
    case SpanStatus::kError:
      return "STATUS_CODE_ERROR";
    case SpanStatus::kUnset:
      break;
  }
  return "STATUS_CODE_UNSET";
}

bool IsServer(const Span& span) {
  return span.kind == SpanKind::kServer || span.kind == SpanKind::kConsumer;
}

uint64_t DurationNs(const Span& span) {
  return span.end_wall_ns > span.start_wall_ns ? span.end_wall_ns - span.start_wall_ns : 0;
}

double Seconds(const Span& span) {
  return static_cast<double>(DurationNs(span)) / kNanosecondsPerSecond;
}

void RecordSize(Series* series, const AttributeValue* size, uint64_t now_ns) {
  if (series == nullptr || size == nullptr) return;
  if (const auto* bytes = std::get_if<int64_t>(size)) {
    series->Record(static_cast<double>(*bytes), now_ns);
  }
}

}  // namespace

RedStage::RedStage(const MetricsOptions& options, SpanSink& next, MetricRegistry& metrics)
    : options_(options),
      next_(next),
      store_(options, metrics),
      facts_(options.dimensions),
      graph_(store_) {}

void RedStage::OnSpan(Span&& span) {
  // Spans may come before the first tick.
  now_ns_ = std::max(now_ns_, span.end_mono_ns);
  facts_.Read(span);
  const uint64_t number = ClassOf(span);
  const Class& of = classes_[static_cast<uint32_t>(number)];
  if (of.span != nullptr) {
    const bool seconds = options_.span_seconds || options_.names == SpanMetricNames::kTempo;
    of.span->Record(seconds ? Seconds(span)
                            : static_cast<double>(DurationNs(span)) / kNanosecondsPerMillisecond,
                    now_ns_);
  }
  if (of.duration != nullptr) of.duration->Record(Seconds(span), now_ns_);
  RecordSize(of.request_body.get(), facts_[Fact::kRequestBody], now_ns_);
  RecordSize(of.response_body.get(), facts_[Fact::kResponseBody], now_ns_);
  if (options_.service_graph) graph_.OnSpan(span, facts_, Seconds(span));
  span.metric_class = static_cast<uint64_t>(generation_) << 32 | static_cast<uint32_t>(number);
  next_.OnSpan(std::move(span));
}

void RedStage::OnKept(const Span& span) {
  if (!options_.exemplars || span.metric_class >> 32 != generation_) return;
  const Class& of = classes_[static_cast<uint32_t>(span.metric_class)];
  Exemplar exemplar{.trace_id = span.trace_id,
                    .span_id = span.span_id,
                    .value = Seconds(span),
                    .wall_ns = span.end_wall_ns};
  if (of.duration != nullptr) of.duration->Keep(exemplar);
  if (of.span == nullptr) return;
  if (!options_.span_seconds && options_.names != SpanMetricNames::kTempo) {
    exemplar.value = static_cast<double>(DurationNs(span)) / kNanosecondsPerMillisecond;
  }
  of.span->Keep(exemplar);
}

ExchangeSink* RedStage::CountActive(ExchangeSink& next, ActiveRequests::ResourceOf resource_of) {
  if (!options_.semantic_conventions) return nullptr;
  active_ = std::make_unique<ActiveRequests>(next, store_, std::move(resource_of));
  return active_.get();
}

void RedStage::OnTick(uint64_t mono_ns) {
  now_ns_ = std::max(now_ns_, mono_ns);
  graph_.OnTick(mono_ns);
  if (now_ns_ < looked_ns_ + kLookForStaleNs) return;
  looked_ns_ = now_ns_;
  if (!store_.Expire(now_ns_)) return;
  ForgetClasses();
  graph_.Forget();
  if (active_ != nullptr) active_->Forget();
}

void RedStage::ForgetClasses() {
  numbers_.clear();
  classes_.clear();
  ++generation_;
}

uint64_t RedStage::ClassOf(const Span& span) {
  const ServiceNumber service = store_.ServiceOf(span.resource);
  MakeKey(span, service);
  const auto found = numbers_.find(key_);
  if (found != numbers_.end()) return found->second;
  if (classes_.size() >= kMaxClasses) ForgetClasses();
  const auto number = static_cast<uint32_t>(classes_.size());
  classes_.push_back(MakeClass(span, service));
  numbers_.emplace(key_, number);
  return number;
}

void RedStage::MakeKey(const Span& span, ServiceNumber service) {
  key_.clear();
  key_.append(reinterpret_cast<const char*>(&service), sizeof(service));
  key_.push_back(static_cast<char>(span.kind));
  key_.push_back(static_cast<char>(span.status));
  AppendText(span.name, key_);
  for (const Fact fact : IsServer(span) ? kServerFacts : kClientFacts) {
    AppendValue(facts_[fact], key_);
  }
  for (size_t i = 0; i < facts_.dimensions().size(); ++i) AppendValue(facts_.dimension(i), key_);
}

RedStage::Class RedStage::MakeClass(const Span& span, ServiceNumber service) {
  Class made;
  if (options_.span_metrics) {
    made.span = store_.FindOrAdd(service, InstrumentId::kSpan, SpanAttributes(span), now_ns_);
  }
  if (options_.semantic_conventions) AddConventional(span, service, made);
  return made;
}

Attributes RedStage::SpanAttributes(const Span& span) const {
  const bool tempo = options_.names == SpanMetricNames::kTempo;
  Attributes attributes{
      {tempo ? "service" : "service.name",
       span.resource == nullptr ? std::string("unknown_service") : span.resource->service_name},
      {"span.name", span.name},
      {"span.kind", KindName(span.kind)},
      {"status.code", StatusName(span.status)}};
  for (size_t i = 0; i < facts_.dimensions().size(); ++i) {
    const AttributeValue* value = facts_.dimension(i);
    if (value != nullptr) attributes.push_back({facts_.dimensions()[i], *value});
  }
  return attributes;
}

void RedStage::AddConventional(const Span& span, ServiceNumber service, Class& made) {
  const bool server = IsServer(span);
  const auto pick = [&](std::initializer_list<Fact> wanted) {
    Attributes attributes;
    for (const Fact fact : wanted) {
      if (facts_[fact] != nullptr) attributes.push_back({KeyOf(fact), *facts_[fact]});
    }
    return attributes;
  };
  const auto add = [&](InstrumentId of_server, InstrumentId of_client,
                       const Attributes& attributes) {
    return store_.FindOrAdd(service, server ? of_server : of_client, attributes, now_ns_);
  };
  if (facts_[Fact::kRpcSystem] != nullptr) {
    const Attributes attributes =
        server ? pick({Fact::kErrorType, Fact::kRpcMethod, Fact::kRpcStatus, Fact::kRpcSystem})
               : pick({Fact::kErrorType, Fact::kRpcMethod, Fact::kRpcStatus, Fact::kRpcSystem,
                       Fact::kServerAddress, Fact::kServerPort});
    made.duration =
        add(InstrumentId::kRpcServerDuration, InstrumentId::kRpcClientDuration, attributes);
    return;
  }
  if (facts_[Fact::kHttpMethod] == nullptr) return;
  const Attributes attributes =
      server ? pick({Fact::kErrorType, Fact::kHttpMethod, Fact::kHttpStatus, Fact::kHttpRoute,
                     Fact::kProtocolVersion, Fact::kUrlScheme})
             : pick({Fact::kErrorType, Fact::kHttpMethod, Fact::kHttpStatus, Fact::kProtocolVersion,
                     Fact::kServerAddress, Fact::kServerPort});
  made.duration =
      add(InstrumentId::kHttpServerDuration, InstrumentId::kHttpClientDuration, attributes);
  made.request_body =
      add(InstrumentId::kHttpServerRequestBody, InstrumentId::kHttpClientRequestBody, attributes);
  made.response_body =
      add(InstrumentId::kHttpServerResponseBody, InstrumentId::kHttpClientResponseBody, attributes);
}

}  // namespace sonde::metrics
