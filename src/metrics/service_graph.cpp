// SPDX-License-Identifier: Apache-2.0
#include "metrics/service_graph.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "metrics/attribute_key.h"
#include "metrics/instrument.h"
#include "metrics/series.h"
#include "metrics/series_store.h"
#include "metrics/span_facts.h"
#include "sonde/base/ids.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {
namespace {

constexpr size_t kMaxEdges = 65'536;
constexpr char kVirtual[] = "virtual_node";
// The connector's name of a client that is not traced and began the trace.
constexpr char kUser[] = "user";
// A client elsewhere: it sent a context, but its span is not made on this host.
constexpr char kUnknown[] = "unknown";

std::string_view ServiceNameOf(const std::shared_ptr<const Resource>& resource) {
  return resource == nullptr || resource->service_name.empty()
             ? std::string_view("unknown_service")
             : std::string_view(resource->service_name);
}

// The first that says who the server is.
std::string PeerOf(const SpanFacts& facts) {
  for (const Fact fact :
       {Fact::kPeerService, Fact::kDbNamespace, Fact::kDbSystem, Fact::kServerAddress}) {
    const auto* text = facts[fact] == nullptr ? nullptr : std::get_if<std::string>(facts[fact]);
    if (text != nullptr && !text->empty()) return *text;
  }
  return kUnknown;
}

const char* TypeOf(const SpanFacts& facts) {
  if (facts[Fact::kDbSystem] != nullptr) return "database";
  return facts[Fact::kMessagingSystem] != nullptr ? "messaging_system" : "";
}

bool CallsOut(SpanKind kind) { return kind == SpanKind::kClient || kind == SpanKind::kProducer; }

}  // namespace

void ServiceGraph::OnSpan(const Span& span, const SpanFacts& facts, double seconds) {
  now_ns_ = std::max(now_ns_, span.end_mono_ns);
  if (span.kind == SpanKind::kInternal) return;
  Half half{.resource = span.resource,
            .seconds = seconds,
            .failed = span.status == SpanStatus::kError,
            .peer = {}};
  if (CallsOut(span.kind)) {
    half.type = TypeOf(facts);
    const auto server = servers_.find(span.span_id);
    if (server != servers_.end()) {
      const Half other = std::move(server->second);
      servers_.erase(server);
      return Complete(&half, &other, nullptr);
    }
    half.peer = PeerOf(facts);
    return Wait(clients_, span.span_id, std::move(half), true);
  }
  if (!span.parent_span_id.valid()) return Complete(nullptr, &half, kUser);
  if (span.parent_is_remote) return Complete(nullptr, &half, kUnknown);
  const auto client = clients_.find(span.parent_span_id);
  if (client != clients_.end()) {
    const Half other = std::move(client->second);
    clients_.erase(client);
    return Complete(&other, &half, nullptr);
  }
  Wait(servers_, span.parent_span_id, std::move(half), false);
}

void ServiceGraph::Wait(Halves& halves, const SpanId& id, Half half, bool client) {
  half.number = next_number_++;
  waiting_.push_back({id, client, half.number, now_ns_ + kWaitNs});
  const auto [present, added] = halves.try_emplace(id);
  if (!added) {
    // Several servers answered one call (retries below the client): each is a request.
    const Half& earlier = present->second;
    client ? Complete(&earlier, nullptr, nullptr) : Complete(nullptr, &earlier, kUnknown);
  }
  present->second = std::move(half);
  if (waiting_.size() > kMaxWaiting) GiveUpOldest();
}

void ServiceGraph::GiveUpOldest() {
  const Waiting oldest = waiting_.front();
  waiting_.pop_front();
  Halves& halves = oldest.client ? clients_ : servers_;
  const auto found = halves.find(oldest.id);
  if (found == halves.end() || found->second.number != oldest.number) return;
  const Half half = std::move(found->second);
  halves.erase(found);
  oldest.client ? Complete(&half, nullptr, nullptr) : Complete(nullptr, &half, kUnknown);
}

void ServiceGraph::OnTick(uint64_t mono_ns) {
  now_ns_ = std::max(now_ns_, mono_ns);
  while (!waiting_.empty() && waiting_.front().until_ns <= now_ns_) GiveUpOldest();
}

void ServiceGraph::Shutdown() {
  while (!waiting_.empty()) GiveUpOldest();
}

void ServiceGraph::Complete(const Half* client, const Half* server, const char* virtual_client) {
  const std::string_view from =
      client != nullptr ? ServiceNameOf(client->resource) : std::string_view(virtual_client);
  const std::string_view to =
      server != nullptr ? ServiceNameOf(server->resource) : std::string_view(client->peer);
  std::string_view type = client != nullptr ? client->type : "";
  if (type.empty() && (client == nullptr || server == nullptr)) type = kVirtual;
  key_.clear();
  AppendText(from, key_);
  AppendText(to, key_);
  AppendText(type, key_);
  if (edges_.size() >= kMaxEdges) edges_.clear();
  Edge& edge = edges_[key_];
  const Attributes attributes = edge.requests != nullptr && edge.failed != nullptr
                                    ? Attributes{}
                                    : Attributes{{"client", std::string(from)},
                                                 {"connection_type", std::string(type)},
                                                 {"server", std::string(to)}};
  Count(edge, client, server, attributes);
}

void ServiceGraph::Count(Edge& edge, const Half* client, const Half* server,
                         const Attributes& attributes) {
  Ensure(edge.requests, InstrumentId::kGraphRequests, attributes)->Count(now_ns_);
  // The failure counter begins with the edge, so that its first failure is an increase.
  Series& failed = *Ensure(edge.failed, InstrumentId::kGraphFailed, attributes);
  const bool has_failed =
      (client != nullptr && client->failed) || (server != nullptr && server->failed);
  has_failed ? failed.Count(now_ns_) : failed.Touch(now_ns_);
  if (server != nullptr) {
    Ensure(edge.server, InstrumentId::kGraphServerSeconds, attributes)
        ->Record(server->seconds, now_ns_);
  }
  if (client != nullptr) {
    Ensure(edge.client, InstrumentId::kGraphClientSeconds, attributes)
        ->Record(client->seconds, now_ns_);
  }
}

std::shared_ptr<Series>& ServiceGraph::Ensure(std::shared_ptr<Series>& series,
                                              InstrumentId instrument,
                                              const Attributes& attributes) {
  if (series == nullptr) {
    series = store_.FindOrAdd(kNoService, instrument, attributes, now_ns_);
  }
  return series;
}

}  // namespace sonde::metrics
