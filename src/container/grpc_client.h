// SPDX-License-Identifier: Apache-2.0
// A gRPC server behind a unix socket, asked with messages that are encoded already.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/base/result.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace sonde::container {

class GrpcClient {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  // Connects when it is first asked, and again when the connection was lost.
  explicit GrpcClient(std::string socket);
  ~GrpcClient();
  GrpcClient(const GrpcClient&) = delete;
  GrpcClient& operator=(const GrpcClient&) = delete;

  // Answer to `request` of a method such as "/containerd.services.images.v1.Images/Get". kNotFound,
  // kUnavailable (nobody there, time-out, cancelled), or what else the server says, with its words.
  Result<std::string> Call(const std::string& method, const std::string& request,
                           const Headers& headers, std::chrono::milliseconds timeout);
  // The same with a stream of answers: waits until the server ends it, the connection breaks, or
  // Cancel(). `on_open`: the server has been asked. A message longer than 4 MiB ends it.
  Status Follow(const std::string& method, const std::string& request,
                const std::function<void()>& on_open,
                const std::function<void(std::string_view message)>& on_message);
  // Any thread, for good: what waits returns soon, and nothing is asked any more.
  void Cancel();

 private:
  class Running;  // a call, while it can be cancelled

  std::shared_ptr<grpc::Channel> Connect();

  const std::string socket_;
  std::mutex mutex_;
  std::shared_ptr<grpc::Channel> channel_;  // gRPC shares it with its calls
  std::vector<grpc::ClientContext*> running_;
  bool cancelled_ = false;
};

}  // namespace sonde::container
