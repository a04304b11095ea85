// SPDX-License-Identifier: Apache-2.0
// The one validated configuration. src/config builds it from flags, environment, file and defaults
// (in that order of precedence); every stage takes its own part. Defaults here are the documented
// ones. Immutable after start, except that SIGHUP hands out a new one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sonde {

using Milliseconds = std::chrono::milliseconds;

// One condition on a process. Of one kind: alternatives. Of different kinds: all must match.
enum class SelectorKind : uint8_t {
  kPid,
  kExe,
  kCmdline,
  kPort,
  kCgroup,
  kSystemdUnit,
  kEnv,
  kContainer,
  kContainerImage,
  kContainerLabel,
  kK8sNamespace,
  kK8sPod,
  kK8sPodLabel,
  kK8sWorkload,
  kAll
};

struct Selector {
  SelectorKind kind = SelectorKind::kAll;
  std::string pattern;  // pid, glob, regular expression, "N" or "N-M", "K" or "K=V"; empty for kAll
};

struct RuleSettings;

// A rule of sonde.discovery.include[]: its selectors, and what it chose for those they match.
struct DiscoveryRule {
  std::vector<Selector> selectors;
  std::shared_ptr<const RuleSettings> settings;  // shared by the processes; never null
};

struct DiscoveryOptions {
  std::vector<Selector> include;          // together one rule, which chooses nothing
  std::vector<Selector> exclude;          // any match refuses
  std::vector<DiscoveryRule> rules = {};  // the first that matches counts
  std::vector<std::vector<Selector>> exclude_rules = {};  // any that matches as a rule does refuses
  // Annotation or label of a pod or its namespace: "true" selects, "false" excludes. Empty: none.
  std::string opt_annotation = {};
};

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;
};

struct CaptureOptions {
  std::vector<PortRange>
      ports;  // of --port: only connections with such a local or remote port; empty = all
  std::vector<std::string> probes;     // families to use; empty = choose
  std::vector<std::string> no_probes;  // families never to use
  size_t ring_bytes = 4U << 20;        // power of two; resident twice: the kernel maps it double
};

struct LimitOptions {
  size_t memory_bytes = 512U << 20;           // resident, of the whole agent
  size_t connection_bytes = 256U << 10;       // buffered per connection
  size_t total_connection_bytes = 16U << 20;  // buffered over all connections
  size_t max_connections = 200'000;           // tracked at once; the idlest is forgotten
  size_t max_head_bytes = 64U << 10;
  Milliseconds exchange_timeout{
      std::chrono::minutes(15)};  // open longer: closed as unfinished "timeout"
};

// Processes that an SDK, or a proxy with tracing of its own, already makes spans for.
enum class SdkPolicy : uint8_t {
  kComplement,  // leave out what the SDK covers
  kSkip,        // leave out the whole process
  kDuplicate,   // leave out nothing
};

struct LinkingOptions {
  Milliseconds hold{5000};  // how long a finished span waits for an open local root
  size_t max_held_spans = 20'000;
  // OTEL_PROPAGATORS names. By default everything that peers may say is read, W3C's own first.
  std::vector<std::string> propagators = {"tracecontext", "baggage", "b3",      "b3multi",
                                          "jaeger",       "xray",    "datadog", "ottrace"};
  SdkPolicy sdk_processes = SdkPolicy::kComplement;
  bool guesses = false;    // likely parents become span links
  bool hot_wakes = false;  // probes on the hot paths of runtimes
};

struct RouteOptions {
  std::vector<std::string> patterns;  // "/users/{id}" given by the operator, tried first
  size_t max_per_service = 200;       // learnt routes; beyond: overflow name
};

struct RedactionOptions {
  std::vector<std::string> request_headers;    // allow-list, lower case
  std::vector<std::string> response_headers;   // allow-list, lower case
  std::vector<std::string> query_keys;         // extra credential-like keys, lower case
  std::vector<std::string> baggage_keys = {};  // allow-list
};

struct AttributeLimits {
  size_t value_length = 4096;
  size_t count = 128;
};

enum class ExporterKind : uint8_t { kConsole, kOtlp, kFile, kZipkin, kKafka, kNone };
enum class OtlpProtocol : uint8_t { kGrpc, kHttpProtobuf, kHttpJson };
enum class ConsoleFormat : uint8_t { kTree, kLine, kJson };

struct OtlpOptions {
  std::string endpoint;  // URL; http/*: the full traces URL, /v1/traces already appended where the
                         // rules say so
  OtlpProtocol protocol = OtlpProtocol::kGrpc;
  std::vector<std::pair<std::string, std::string>> headers;
  bool gzip = false;
  bool insecure = false;    // gRPC endpoint given without scheme
  std::string certificate;  // PEM files
  std::string client_certificate;
  std::string client_key;
  Milliseconds timeout{10'000};
};

// Defaults as the Collector's kafka exporter has them.
struct KafkaOptions {
  std::vector<std::string> brokers = {"localhost:9092"};  // HOST[:PORT], to find the cluster by
  std::string topic = "otlp_spans";
  // Of librdkafka, under its own names.
  std::vector<std::pair<std::string, std::string>> properties = {};
};

struct BatchOptions {
  size_t max_queue_size = 8192;
  size_t max_export_batch_size = 512;
  Milliseconds schedule_delay{500};  // ready spans are visible within a second
  Milliseconds export_timeout{10'000};
};

// The queues on disk, one per exporter that delivers over a network.
struct QueueOptions {
  std::string directory;  // empty: none
  size_t max_bytes = 256U << 20;
  Milliseconds max_age{std::chrono::hours(24)};
};

struct ExporterOptions {
  ExporterKind kind = ExporterKind::kConsole;
  std::string target;         // file path ("-" = standard output) or URL
  size_t max_file_bytes = 0;  // kFile: the file is rotated before it grows larger; 0 = never
  size_t max_files = 5;       // kFile: those kept, beside the one that is written
  OtlpOptions otlp;
  KafkaOptions kafka = {};
  ConsoleFormat console_format = ConsoleFormat::kTree;
};

// What a point of a counter or histogram covers.
enum class Temporality : uint8_t {
  kCumulative,  // all since the series began
  kDelta,       // since the point before
  kLowMemory,   // kDelta, but cumulative where delta would need the last values to be kept
};

// A periodic reader of meter_provider: what is measured, pushed to one receiver.
struct MetricReaderOptions {
  ExporterOptions exporter = {};
  Milliseconds interval{60'000};
  Milliseconds timeout{30'000};  // of one push, retries included
  Temporality temporality = Temporality::kCumulative;
  bool exponential = false;  // histograms with exponential buckets
};

// Labels and annotations that become attributes, by name; "*" = all.
struct KubernetesAttributes {
  std::vector<std::string> pod_labels;
  std::vector<std::string> pod_annotations;
  std::vector<std::string> namespace_labels;
  std::vector<std::string> namespace_annotations;
  // app.kubernetes.io/* labels give service.name and service.version.
  bool service_from_labels = false;
};

struct ResourceOptions {
  std::string service_name;  // default for processes that do not say their own
  std::vector<std::pair<std::string, std::string>> attributes;
  // Globs: which labels become container.label.KEY, beside those that selectors name.
  std::vector<std::string> container_labels = {"com.docker.compose.project",
                                               "com.docker.compose.service"};
  // Where the host's files are seen, for sonde in a container: runtimes' sockets and state files
  // are looked for beneath. Empty: they are its own.
  std::string host_root = {};
  // How long spans wait for the description of their container; 0 = not at all.
  Milliseconds hold{1000};
  bool command_line = false;            // process.command_args, secrets replaced
  std::vector<std::string> cloud = {};  // whose metadata service is asked: aws, gcp, azure
  bool peers = true;                    // client spans say which service is at the other end
  KubernetesAttributes kubernetes = {};
};

enum class KubernetesUse : uint8_t { kAuto, kOn, kOff };

// Where pods are learnt from.
struct KubernetesOptions {
  KubernetesUse use = KubernetesUse::kAuto;  // kAuto: in a cluster, or with a kubeconfig
  std::string kubeconfig;                    // path; empty = the service account
  std::string node_name;                     // empty = NODE_NAME, K8S_NODE_NAME
  std::string cluster_name;                  // k8s.cluster.name
  bool kubelet = true;                       // asked while the API server does not answer
  std::string kubelet_url;                   // empty = https://NODE:10250
  bool kubelet_insecure = false;             // its certificate is not checked
  bool namespace_metadata = false;           // labels and annotations of namespaces are needed
  bool services = true;                      // name the calls to their addresses
};

// One of the samplers that need no others.
struct SamplerChoice {
  // always_on, always_off, trace_id_ratio_based, rate_limiting
  std::string kind = "always_on";
  double ratio = 1.0;              // trace_id_ratio_based
  double traces_per_second = 100;  // rate_limiting
};

// A rule of composite/development's rule_based: about spans that have the attribute (of their own
// or of their resource) with one of the values, or one that fits a pattern. An empty key: all
// spans.
struct SamplingRule {
  std::string key = {};
  std::vector<std::string> values = {};    // attribute_values
  std::vector<std::string> included = {};  // attribute_patterns: "*" any text, "?" any character
  std::vector<std::string> excluded = {};
  std::vector<std::string> span_kinds = {};  // server, client, ...; empty: all
  SamplerChoice sampler = {};
};

struct SamplerOptions {
  SamplerChoice root = {};  // also rule_based
  // rule_based: the first rule that fits the span of a trace that is seen first, which is the root
  // of its local tree, decides about the trace; none: it is not sampled.
  std::vector<SamplingRule> rules = {};
  bool parent_based = true;  // false: `root` decides about every trace
  // What a parent's decision leads to; of parent_based only.
  SamplerChoice remote_parent_sampled = {};
  SamplerChoice remote_parent_not_sampled = {.kind = "always_off"};
  SamplerChoice local_parent_sampled = {};
  SamplerChoice local_parent_not_sampled = {.kind = "always_off"};
};

// What a rule chose for its processes. What is not set is as for all others.
struct RuleSettings {
  std::string service_name;                    // of those that do not say their own
  std::optional<SamplerOptions> sampler = {};  // of traces that begin there
  // Labels of the exporters that get their spans; none: not exported.
  std::optional<std::vector<std::string>> exporters = {};
  // Only connections with such a local or remote port; empty = all.
  std::vector<PortRange> ports = {};
  // Config::redaction with what the rule has of its own in place of it.
  std::optional<RedactionOptions> redaction = {};
};

enum class TailPolicyType : uint8_t {
  kAlwaysSample,
  kLatency,
  kNumericAttribute,
  kProbabilistic,
  kStatusCode,
  kStringAttribute,
  kRateLimiting,
  kSpanCount,
  kBooleanAttribute,
  kAnd,
  kComposite,
};

// A policy of the Collector's tail_sampling processor; only the members of its type mean something.
struct TailPolicy {
  std::string name = {};
  TailPolicyType type = TailPolicyType::kAlwaysSample;
  std::string key = {};                        // *_attribute
  std::vector<std::string> values = {};        // string_attribute
  bool enabled_regex_matching = false;         // string_attribute
  bool invert_match = false;                   // *_attribute
  bool value = false;                          // boolean_attribute
  int64_t min = 0;                             // numeric_attribute, latency, span_count
  int64_t max = 0;                             // the same; latency, span_count: 0 = no limit
  std::vector<std::string> status_codes = {};  // OK, ERROR, UNSET
  double sampling_percentage = 0;
  std::string hash_salt = {};
  int64_t spans_per_second = 0;        // rate_limiting; composite: of all together
  std::vector<TailPolicy> sub = {};    // and; composite: in order
  std::vector<int64_t> percents = {};  // composite: of the rate, per sub-policy; 0 = equal share
};

struct TailSamplingOptions {
  std::vector<TailPolicy> policies = {};  // empty: no tail sampling
  Milliseconds decision_wait{30'000};     // from a trace's first span
  // From its root, a span without a parent, if that is sooner; 0 = a root changes nothing.
  Milliseconds decision_wait_after_root{0};
  size_t num_traces = 50'000;             // waiting at once
  size_t expected_traces_per_second = 0;  // room is made for so many beforehand
  bool sample_on_first_match = false;     // the policies after one that samples are not asked
  bool drop_pending_on_shutdown = false;  // else they are decided by what is there
  size_t max_spans = 50'000;              // waiting at once
  size_t sampled_cache_size = 0;          // decisions remembered; 0 = num_traces
  size_t non_sampled_cache_size = 0;
};

// Names of the metrics that are made of spans.
enum class SpanMetricNames : uint8_t {
  kSpanMetrics,  // traces_span_metrics_calls_total, _duration: the Collector's spanmetrics
                 // connector
  kSpanmetrics,  // traces_spanmetrics_calls_total, _duration: its predecessors
  kTempo,        // traces_spanmetrics_calls_total, _latency, label `service`: Tempo
};

struct MetricsOptions {
  bool span_metrics = true;
  bool semantic_conventions = true;
  bool service_graph = true;
  SpanMetricNames names = SpanMetricNames::kSpanMetrics;
  bool span_seconds = false;                 // unit of span metrics; false: milliseconds
  std::vector<double> buckets = {};          // seconds, ascending; empty: the connector's
  std::vector<std::string> dimensions = {};  // attributes of span or resource added to span metrics
  size_t cardinality_limit = 2000;           // series of one metric and service
  Milliseconds expiration{std::chrono::hours(1)};  // an unused series is forgotten after this
  bool exemplars = true;
  bool exponential = false;  // exponential buckets too: some reader asks for them
};

struct AdminOptions {
  std::string listen = "127.0.0.1:9464";  // "off" = none
  bool chosen = false;  // the operator gave the address: a busy one is then an error, not a warning
  size_t traces = 2000;            // recent spans at /api/traces; 0 = none
  bool traces_chosen = false;      // the operator gave their number: shown beyond loopback too
  size_t trace_requests = 50'000;  // requests that /api/trace-at remembers
};

enum class LogLevel : uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kOff };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  bool json = false;
};

struct Config {
  DiscoveryOptions discovery;
  CaptureOptions capture;
  LimitOptions limits;
  LinkingOptions linking;
  RouteOptions routes;
  RedactionOptions redaction;
  AttributeLimits attribute_limits;
  std::vector<ExporterOptions> exporters;
  BatchOptions batch;
  QueueOptions queue;
  ResourceOptions resource;
  KubernetesOptions kubernetes;
  SamplerOptions sampler;
  TailSamplingOptions tail_sampling;
  MetricsOptions metrics;
  std::vector<MetricReaderOptions> metric_readers;
  AdminOptions admin;
  LogOptions log;
  std::string record_file;
  std::optional<Milliseconds> duration;
  Milliseconds shutdown_timeout{5000};
};

}  // namespace sonde
