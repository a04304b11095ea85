// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/grpc_sender.h"

#include <absl/memory/memory.h>
#include <absl/status/status.h>
#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <ios>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/otlp/response.h"
#include "exporter/otlp/sender.h"
#include "exporter/otlp/signal.h"
#include "exporter/version.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {
namespace {

const char* MethodOf(Signal signal) {
  return signal == Signal::kTraces
             ? "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
             : "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
}

constexpr std::chrono::milliseconds kCancelPoll{50};
// How long gRPC itself waits between connection attempts: not longer than our own pauses between
// batches, or an endpoint that is back would still be refused.
constexpr int kFirstReconnectMs = 200;
constexpr int kMaxReconnectMs = 5000;

struct Target {
  std::string address;
  bool tls = false;
};

Target TargetOf(const OtlpOptions& options) {
  const std::string& endpoint = options.endpoint;
  const size_t scheme = endpoint.find("://");
  if (endpoint.starts_with("unix:") || scheme == std::string::npos)
    return {endpoint, !options.insecure};
  const bool tls = endpoint.starts_with("https://") || endpoint.starts_with("HTTPS://");
  const std::string rest = endpoint.substr(scheme + 3);
  return {rest.substr(0, rest.find('/')), tls};
}

Result<std::string> ReadFile(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(file)), {});
  if (!file.is_open() || content.empty()) {
    return absl::InvalidArgumentError("OTLP certificate file " + path + " cannot be read");
  }
  return content;
}

Result<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const OtlpOptions& options,
                                                                bool tls) {
  if (!tls) return grpc::InsecureChannelCredentials();
  // gRPC's own default roots are not the system's.
  constexpr char kSystemRoots[] = "/etc/ssl/certs/ca-certificates.crt";
  const bool system = options.certificate.empty() && std::ifstream(kSystemRoots).is_open();
  const auto roots = ReadFile(system ? kSystemRoots : options.certificate);
  if (!roots.ok()) return roots.status();
  const auto certificate = ReadFile(options.client_certificate);
  if (!certificate.ok()) return certificate.status();
  const auto key = ReadFile(options.client_key);
  if (!key.ok()) return key.status();
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = *roots;
  ssl.pem_cert_chain = *certificate;
  ssl.pem_private_key = *key;
  return grpc::SslCredentials(ssl);
}

// gRPC demands lower case and aborts the process on metadata that it finds illegal.
Status NormaliseHeaders(OtlpOptions& options) {
  for (auto& [name, value] : options.headers) {
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto slice = [](const std::string& text) {
      return grpc_slice_from_static_buffer(text.data(), text.size());
    };
    if (grpc_header_key_is_legal(slice(name)) == 0 ||
        (!name.ends_with("-bin") && grpc_header_nonbin_value_is_legal(slice(value)) == 0)) {
      return absl::InvalidArgumentError("OTLP header '" + name + "' is not a legal gRPC header");
    }
  }
  return absl::OkStatus();
}

}  // namespace

Result<std::unique_ptr<OtlpSender>> OtlpGrpcSender::Create(const OtlpOptions& options,
                                                           Signal signal) {
  OtlpOptions checked = options;
  if (const Status status = NormaliseHeaders(checked); !status.ok()) return status;
  const Target target = TargetOf(options);
  const auto credentials = CredentialsOf(options, target.tls);
  if (!credentials.ok()) return credentials.status();
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix(kUserAgent);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // BatchProcessor retries, and counts
  if (options.gzip) arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  const auto channel = grpc::CreateCustomChannel(target.address, *credentials, arguments);
  return absl::WrapUnique(new OtlpGrpcSender(checked, signal, channel));
}

OtlpGrpcSender::OtlpGrpcSender(OtlpOptions options, Signal signal,
                               const std::shared_ptr<grpc::Channel>& channel)
    : options_(std::move(options)), signal_(signal), stub_(channel) {}

OtlpGrpcSender::~OtlpGrpcSender() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

void OtlpGrpcSender::Prepare(grpc::ClientContext& context,
                             std::chrono::steady_clock::time_point deadline) const {
  const auto left =
      std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
  context.set_deadline(std::chrono::system_clock::now() + std::min(left, options_.timeout));
  for (const auto& [name, value] : options_.headers) context.AddMetadata(name, value);
}

void OtlpGrpcSender::WaitForAnswer(grpc::ClientContext& context) {
  void* tag = nullptr;
  bool ok = false;
  // Ends at the context's deadline at the latest: gRPC then finishes the call by itself.
  while (queue_.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + kCancelPoll) ==
         grpc::CompletionQueue::TIMEOUT) {
    if (cancelled_.load(std::memory_order_relaxed)) context.TryCancel();
  }
}

ExportOutcome OtlpGrpcSender::Send(std::string_view body,
                                   std::chrono::steady_clock::time_point deadline) {
  // Copies: after a cancelled call the transport may still hold what it was sending, and the
  // encoder's memory is reused.
  const grpc::Slice slice(body.data(), body.size());
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ClientContext context;
  Prepare(context, deadline);
  grpc::ByteBuffer response;
  grpc::Status status;
  const auto call = stub_.PrepareUnaryCall(&context, MethodOf(signal_), request, &queue_);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  WaitForAnswer(context);
  grpc::Slice answer;
  const bool readable = status.ok() && response.DumpToSingleSlice(&answer).ok();
  const std::string_view bytes(reinterpret_cast<const char*>(answer.begin()),
                               readable ? answer.size() : 0);
  return JudgeGrpc(status, bytes, signal_);
}

}  // namespace sonde::exporter
