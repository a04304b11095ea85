// SPDX-License-Identifier: Apache-2.0
#include "container/cri.h"

#include <absl/status/status.h>
#include <cri.pb.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "container/facts.h"
#include "container/json.h"
#include "container/text.h"
#include "container/wire.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

constexpr int kRunning = 1;  // CONTAINER_RUNNING
constexpr const char* kVersion = "/runtime.v1.RuntimeService/Version";
constexpr const char* kList = "/runtime.v1.RuntimeService/ListContainers";
constexpr const char* kStatus = "/runtime.v1.RuntimeService/ContainerStatus";

// A reference is the image's id or a digest in a repository.
void AddImageReference(const std::string& reference, ContainerFacts& facts) {
  std::string text = CleanText(reference, kMaxNameBytes);
  if (text.empty()) return;
  if (text.find('@') == std::string::npos) {
    facts.image_id = std::move(text);
  } else {
    AddUnique(std::move(text), facts.image_digests);
  }
}

}  // namespace

Result<ContainerFacts> ParseCriContainer(std::string_view answer, size_t* cut) {
  cri::StatusResponse response;
  if (!Parse(answer, response) || response.status().id().empty()) {
    return absl::DataLossError("no description of a container");
  }
  const cri::ContainerStatus& status = response.status();
  ContainerFacts facts;
  facts.id = status.id();
  facts.name = CleanText(status.metadata().name(), kMaxNameBytes, cut);
  for (const auto& [key, value] : status.labels()) AddLabel(key, value, facts.labels, cut);
  AddImageReference(status.image_ref(), facts);
  AddImageName(status.image().image(), facts);
  // Of containerd and CRI-O.
  const auto info = response.info().find("info");
  if (info != response.info().end()) {
    facts.env = SpecVariables(Member(ParseJson(info->second), "runtimeSpec"));
  }
  return facts;
}

Cri::Cri(std::string socket, std::chrono::milliseconds answer_timeout)
    : socket_(std::move(socket)), answer_timeout_(answer_timeout), lookups_(socket_) {}

Result<std::string> Cri::Call(const char* method, const std::string& request) {
  if (access(socket_.c_str(), F_OK) != 0) return absl::UnavailableError("no socket");
  return lookups_.Call(method, request, {}, answer_timeout_);
}

Result<std::string> Cri::RuntimeName() {
  const auto answer = Call(kVersion, "");
  if (!answer.ok()) return answer.status();
  cri::VersionResponse version;
  if (!Parse(*answer, version) || version.runtime_name().empty()) {
    return absl::DataLossError("no version of a runtime");
  }
  return CleanText(version.runtime_name(), kMaxNameBytes);
}

Result<ContainerFacts> Cri::Find(const std::string& id, size_t* cut) {
  if (runtime_.empty()) {
    auto name = RuntimeName();
    if (!name.ok()) return name.status();
    runtime_ = *std::move(name);
  }
  cri::StatusRequest request;
  request.set_container_id(id);
  request.set_verbose(true);
  const auto answer = Call(kStatus, request.SerializeAsString());
  if (!answer.ok()) return answer.status();
  auto facts = ParseCriContainer(*answer, cut);
  // An id is found by its beginning, too.
  if (!facts.ok() || facts->id != id) return absl::DataLossError("no description of it");
  facts->runtime = runtime_;
  return facts;
}

std::vector<std::string> Cri::Running() {
  std::vector<std::string> ids;
  cri::ListRequest request;
  request.mutable_filter()->mutable_state()->set_state(kRunning);
  const auto answer = Call(kList, request.SerializeAsString());
  cri::ListResponse list;
  if (!answer.ok() || !Parse(*answer, list)) return ids;
  for (const auto& container : list.containers()) ids.push_back(container.id());
  return ids;
}

void Cri::Cancel() { lookups_.Cancel(); }

}  // namespace sonde::container
