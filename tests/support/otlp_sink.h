// SPDX-License-Identifier: Apache-2.0
// A real OTLP receiver for tests, in process: gRPC through the generated service, HTTP through
// cpp-httplib. Keeps every request it accepted, and can be told to answer badly.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"

namespace sonde::support {

struct OtlpSinkOptions {
  // PEM files; all empty: plain text.
  std::string certificate;
  std::string key;
  std::string client_ca;  // not empty: the client must show a certificate of this authority
};

class OtlpSink {
 public:
  using Request = opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
  using MetricsRequest = opentelemetry::proto::collector::metrics::v1::ExportMetricsServiceRequest;

  // What to answer instead of accepting. HTTP: `code` is the status. gRPC: the status code.
  struct Answer {
    int code = 0;
    int retry_after_s = -1;      // Retry-After or RetryInfo; negative: none
    int64_t rejected_spans = 0;  // with code 0: partial success; of metrics: points
    std::string message{};
    int delay_ms = 0;  // before it answers at all
  };
  // Called for each request with its number, from 1. A default Answer accepts. Any server thread.
  using Script = std::function<Answer(int request)>;

  virtual ~OtlpSink() = default;
  virtual int port() const = 0;
  // Ends every call; later ones are refused. Called by the destructor too.
  virtual void Stop() = 0;

  void set_script(Script script);
  // A copy of what was accepted so far.
  std::vector<Request> accepted() const;
  size_t accepted_spans() const;
  std::vector<MetricsRequest> accepted_metrics() const;
  int requests() const;
  // Request headers of the last request, lower-case names.
  std::map<std::string, std::string> last_headers() const;

 protected:
  Answer Begin(std::map<std::string, std::string> headers);
  void Accept(const Request& request);
  void Accept(const MetricsRequest& request);

 private:
  mutable std::mutex mutex_;
  Script script_;
  std::vector<Request> accepted_;
  std::vector<MetricsRequest> accepted_metrics_;
  std::map<std::string, std::string> last_headers_;
  int requests_ = 0;
};

// Port 0: any free port of 127.0.0.1.
std::unique_ptr<OtlpSink> StartGrpcSink(int port = 0, const OtlpSinkOptions& options = {});
std::unique_ptr<OtlpSink> StartHttpSink(int port = 0, const OtlpSinkOptions& options = {});

}  // namespace sonde::support
