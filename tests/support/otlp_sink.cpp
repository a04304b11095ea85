// SPDX-License-Identifier: Apache-2.0
#include "support/otlp_sink.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>
#include <httplib.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "opentelemetry/proto/collector/metrics/v1/metrics_service.grpc.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h"
#include "rpc_status.pb.h"

namespace sonde::support {

namespace otlp = opentelemetry::proto::collector::trace::v1;
namespace otlp_metrics = opentelemetry::proto::collector::metrics::v1;

void OtlpSink::set_script(Script script) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
}

std::vector<OtlpSink::Request> OtlpSink::accepted() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

size_t OtlpSink::accepted_spans() const {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const Request& request : accepted_) {
    for (const auto& resource : request.resource_spans()) {
      for (const auto& scope : resource.scope_spans())
        count += static_cast<size_t>(scope.spans_size());
    }
  }
  return count;
}

std::vector<OtlpSink::MetricsRequest> OtlpSink::accepted_metrics() const {
  const std::lock_guard lock(mutex_);
  return accepted_metrics_;
}

void OtlpSink::Accept(const MetricsRequest& request) {
  const std::lock_guard lock(mutex_);
  accepted_metrics_.push_back(request);
}

int OtlpSink::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::map<std::string, std::string> OtlpSink::last_headers() const {
  const std::lock_guard lock(mutex_);
  return last_headers_;
}

OtlpSink::Answer OtlpSink::Begin(std::map<std::string, std::string> headers) {
  Script script;
  int number = 0;
  {
    const std::lock_guard lock(mutex_);
    last_headers_ = std::move(headers);
    number = ++requests_;
    script = script_;
  }
  const Answer answer = script ? script(number) : Answer{};
  std::this_thread::sleep_for(std::chrono::milliseconds(answer.delay_ms));
  return answer;
}

void OtlpSink::Accept(const Request& request) {
  const std::lock_guard lock(mutex_);
  accepted_.push_back(request);
}

namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

otlp::ExportTraceServiceResponse ResponseFor(const OtlpSink::Answer& answer) {
  otlp::ExportTraceServiceResponse response;
  if (answer.rejected_spans > 0 || !answer.message.empty()) {
    response.mutable_partial_success()->set_rejected_spans(answer.rejected_spans);
    response.mutable_partial_success()->set_error_message(answer.message);
  }
  return response;
}

otlp_metrics::ExportMetricsServiceResponse MetricsResponseFor(const OtlpSink::Answer& answer) {
  otlp_metrics::ExportMetricsServiceResponse response;
  if (answer.rejected_spans > 0 || !answer.message.empty()) {
    response.mutable_partial_success()->set_rejected_data_points(answer.rejected_spans);
    response.mutable_partial_success()->set_error_message(answer.message);
  }
  return response;
}

class GrpcSink final : public OtlpSink,
                       private otlp::TraceService::Service,
                       private otlp_metrics::MetricsService::Service {
 public:
  GrpcSink(int port, const OtlpSinkOptions& options) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), Credentials(options), &port_);
    builder.RegisterService(static_cast<otlp::TraceService::Service*>(this));
    builder.RegisterService(static_cast<otlp_metrics::MetricsService::Service*>(this));
    server_ = builder.BuildAndStart();
  }
  ~GrpcSink() override { Stop(); }
  bool running() const { return server_ != nullptr && port_ > 0; }
  int port() const override { return port_; }
  void Stop() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

 private:
  static std::shared_ptr<grpc::ServerCredentials> Credentials(const OtlpSinkOptions& options) {
    if (options.certificate.empty()) return grpc::InsecureServerCredentials();
    grpc::SslServerCredentialsOptions ssl(
        options.client_ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                  : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    ssl.pem_key_cert_pairs.push_back({ReadAll(options.key), ReadAll(options.certificate)});
    if (!options.client_ca.empty()) ssl.pem_root_certs = ReadAll(options.client_ca);
    return grpc::SslServerCredentials(ssl);
  }

  static grpc::Status StatusFor(const Answer& answer) {
    rpc::Status details;
    if (answer.retry_after_s >= 0) {
      rpc::RetryInfo info;
      info.mutable_retry_delay()->set_seconds(answer.retry_after_s);
      auto* any = details.add_details();
      any->set_type_url("type.googleapis.com/google.rpc.RetryInfo");
      any->set_value(info.SerializeAsString());
    }
    return {static_cast<grpc::StatusCode>(answer.code), answer.message,
            details.SerializeAsString()};
  }

  grpc::Status Export(grpc::ServerContext* context, const otlp::ExportTraceServiceRequest* request,
                      otlp::ExportTraceServiceResponse* response) override {
    const Answer answer = Begin(HeadersOf(*context));
    if (answer.code != 0) return StatusFor(answer);
    *response = ResponseFor(answer);
    Accept(*request);
    return grpc::Status::OK;
  }

  grpc::Status Export(grpc::ServerContext* context, const MetricsRequest* request,
                      otlp_metrics::ExportMetricsServiceResponse* response) override {
    const Answer answer = Begin(HeadersOf(*context));
    if (answer.code != 0) return StatusFor(answer);
    *response = MetricsResponseFor(answer);
    Accept(*request);
    return grpc::Status::OK;
  }

  static std::map<std::string, std::string> HeadersOf(const grpc::ServerContext& context) {
    std::map<std::string, std::string> headers;
    for (const auto& [name, value] : context.client_metadata()) {
      headers[std::string(name.data(), name.size())] = std::string(value.data(), value.size());
    }
    return headers;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class HttpSink final : public OtlpSink {
 public:
  HttpSink(int port, const OtlpSinkOptions& options) : server_(MakeServer(options)) {
    const auto handle = [this](const httplib::Request& request, httplib::Response& response) {
      Handle(request, response);
    };
    server_->set_tcp_nodelay(true);
    server_->Post("/v1/traces", handle);
    server_->Post("/v1/metrics", handle);
    if (port == 0) {
      port_ = server_->bind_to_any_port("127.0.0.1");
    } else {
      port_ = server_->bind_to_port("127.0.0.1", port) ? port : -1;
    }
    if (port_ > 0) thread_ = std::thread([this] { server_->listen_after_bind(); });
  }
  ~HttpSink() override { Stop(); }
  bool running() const { return port_ > 0; }
  int port() const override { return port_; }
  void Stop() override {
    if (!thread_.joinable()) return;
    while (!server_->is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    server_->stop();
    thread_.join();
  }

 private:
  static std::unique_ptr<httplib::Server> MakeServer(const OtlpSinkOptions& options) {
    if (options.certificate.empty()) return std::make_unique<httplib::Server>();
    return std::make_unique<httplib::SSLServer>(
        options.certificate.c_str(), options.key.c_str(),
        options.client_ca.empty() ? nullptr : options.client_ca.c_str());
  }

  void Handle(const httplib::Request& request, httplib::Response& response) {
    std::map<std::string, std::string> headers;
    for (const auto& [name, value] : request.headers) headers[Lower(name)] = value;
    const bool json = headers["content-type"] == "application/json";
    const Answer answer = Begin(std::move(headers));
    if (answer.code != 0) {
      response.status = answer.code;
      if (answer.retry_after_s >= 0)
        response.set_header("Retry-After", std::to_string(answer.retry_after_s));
      rpc::Status status;
      status.set_message(answer.message);
      Send(status, json, response);
      return;
    }
    if (request.path == "/v1/metrics") {
      AcceptBody<MetricsRequest>(request.body, json, MetricsResponseFor(answer), response);
    } else {
      AcceptBody<Request>(request.body, json, ResponseFor(answer), response);
    }
  }

  template <typename Decoded>
  void AcceptBody(const std::string& body, bool json, const google::protobuf::Message& answer,
                  httplib::Response& response) {
    Decoded decoded;
    if (!Decode(body, json, &decoded)) {
      response.status = 400;
      return;
    }
    Send(answer, json, response);
    Accept(decoded);
  }

  static bool Decode(const std::string& body, bool json, google::protobuf::Message* request) {
    if (!json) return request->ParseFromString(body);
    return google::protobuf::util::JsonStringToMessage(body, request).ok();
  }

  static void Send(const google::protobuf::Message& message, bool json,
                   httplib::Response& response) {
    std::string body;
    if (json) {
      static_cast<void>(google::protobuf::util::MessageToJsonString(message, &body));
    } else {
      body = message.SerializeAsString();
    }
    response.set_content(body, json ? "application/json" : "application/x-protobuf");
  }

  std::unique_ptr<httplib::Server> server_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<OtlpSink> StartGrpcSink(int port, const OtlpSinkOptions& options) {
  auto sink = std::make_unique<GrpcSink>(port, options);
  if (!sink->running()) return nullptr;
  return sink;
}

std::unique_ptr<OtlpSink> StartHttpSink(int port, const OtlpSinkOptions& options) {
  auto sink = std::make_unique<HttpSink>(port, options);
  if (!sink->running()) return nullptr;
  return sink;
}

}  // namespace sonde::support
