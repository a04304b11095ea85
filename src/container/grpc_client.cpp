// SPDX-License-Identifier: Apache-2.0
#include "container/grpc_client.h"

#include <absl/status/status.h>
#include <grpc/grpc.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/slice.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/base/result.h"

namespace sonde::container {
namespace {

constexpr int kReconnectMs = 200;

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

std::string ToBytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

// Queue of one operation at a time.
class Operations {
 public:
  Operations() = default;
  ~Operations() {
    queue_.Shutdown();
    while (Wait()) {
    }
  }
  Operations(const Operations&) = delete;
  Operations& operator=(const Operations&) = delete;

  grpc::CompletionQueue* queue() { return &queue_; }
  void* tag() { return this; }
  // False: the operation failed, or there is none any more.
  bool Wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

 private:
  grpc::CompletionQueue queue_;
};

Status ToStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  switch (status.error_code()) {
    case grpc::StatusCode::NOT_FOUND:
      return absl::NotFoundError(status.error_message());
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return absl::UnavailableError(status.error_message());
    default:
      return absl::UnknownError(status.error_message());
  }
}

}  // namespace

class GrpcClient::Running {
 public:
  explicit Running(GrpcClient& client) : client_(client) {
    const std::scoped_lock lock(client_.mutex_);
    if (client_.cancelled_) context.TryCancel();
    client_.running_.push_back(&context);
  }
  ~Running() {
    const std::scoped_lock lock(client_.mutex_);
    std::erase(client_.running_, &context);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  grpc::ClientContext context;

 private:
  GrpcClient& client_;
};

GrpcClient::GrpcClient(std::string socket) : socket_(std::move(socket)) {}
GrpcClient::~GrpcClient() = default;

std::shared_ptr<grpc::Channel> GrpcClient::Connect() {
  const std::scoped_lock lock(mutex_);
  if (channel_ != nullptr) return channel_;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  channel_ =
      grpc::CreateCustomChannel("unix:" + socket_, grpc::InsecureChannelCredentials(), arguments);
  return channel_;
}

Result<std::string> GrpcClient::Call(const std::string& method, const std::string& request,
                                     const Headers& headers, std::chrono::milliseconds timeout) {
  grpc::GenericStub stub(Connect());
  Operations operations;
  Running running(*this);
  running.context.set_deadline(std::chrono::system_clock::now() + timeout);
  for (const auto& [key, value] : headers) running.context.AddMetadata(key, value);
  const auto call =
      stub.PrepareUnaryCall(&running.context, method, ToBuffer(request), operations.queue());
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, operations.tag());
  operations.Wait();
  if (!status.ok()) return ToStatus(status);
  return ToBytes(answer);
}

Status GrpcClient::Follow(const std::string& method, const std::string& request,
                          const std::function<void()>& on_open,
                          const std::function<void(std::string_view message)>& on_message) {
  grpc::GenericStub stub(Connect());
  Operations operations;
  Running running(*this);
  const auto call = stub.PrepareCall(&running.context, method, operations.queue());
  call->StartCall(operations.tag());
  bool going = operations.Wait();
  if (going) {
    call->WriteLast(ToBuffer(request), grpc::WriteOptions(), operations.tag());
    going = operations.Wait();
  }
  if (going) on_open();
  while (going) {
    grpc::ByteBuffer message;
    call->Read(&message, operations.tag());
    going = operations.Wait();
    if (going) on_message(ToBytes(message));
  }
  grpc::Status status;
  call->Finish(&status, operations.tag());
  operations.Wait();
  return ToStatus(status);
}

void GrpcClient::Cancel() {
  const std::scoped_lock lock(mutex_);
  cancelled_ = true;
  for (grpc::ClientContext* context : running_) context->TryCancel();
}

}  // namespace sonde::container
