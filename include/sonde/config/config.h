// SPDX-License-Identifier: Apache-2.0
// The one validated configuration. src/config builds it from flags, environment, file and defaults
// (in that order of precedence); every stage takes its own part. Defaults here are the documented
// ones. Immutable after start, except that SIGHUP hands out a new one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
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

struct DiscoveryOptions {
  std::vector<Selector> include;
  std::vector<Selector> exclude;  // any match refuses
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

enum class ExporterKind : uint8_t { kConsole, kOtlp, kFile, kZipkin, kNone };
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

struct BatchOptions {
  size_t max_queue_size = 8192;
  size_t max_export_batch_size = 512;
  Milliseconds schedule_delay{500};  // ready spans are visible within a second
  Milliseconds export_timeout{10'000};
};

struct ExporterOptions {
  ExporterKind kind = ExporterKind::kConsole;
  std::string target;  // file path ("-" = standard output) or URL
  OtlpOptions otlp;
  ConsoleFormat console_format = ConsoleFormat::kTree;
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
  // Where the host's files are seen, for sonde in a container: runtimes' sockets and state files are
  // looked for beneath. Empty: they are its own.
  std::string host_root = {};
  // How long spans wait for the description of their container; 0 = not at all.
  Milliseconds hold{1000};
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
};

struct SamplerOptions {
  std::string root = "always_on";  // always_on | always_off | trace_id_ratio_based
  double ratio = 1.0;
  bool parent_based = true;
};

struct AdminOptions {
  std::string listen = "127.0.0.1:9464";  // "off" = none
  bool chosen = false;  // the operator gave the address: a busy one is then an error, not a warning
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
  ResourceOptions resource;
  KubernetesOptions kubernetes;
  SamplerOptions sampler;
  AdminOptions admin;
  LogOptions log;
  std::string record_file;
  std::optional<Milliseconds> duration;
  Milliseconds shutdown_timeout{5000};
};

}  // namespace sonde
