// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/owner_names.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "kubernetes/object_json.h"
#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {
namespace {

// "shop-6d4b75cb6d" with the label pod-template-hash=6d4b75cb6d.
std::optional<PodOwner> DeriveDeployment(const Pod& pod) {
  const auto hash = std::ranges::find(pod.labels, "pod-template-hash", &Labels::value_type::first);
  if (hash == pod.labels.end() || hash->second.empty()) return std::nullopt;
  std::string name = pod.owners.front().name;
  const std::string suffix = "-" + hash->second;
  if (name.size() <= suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  name.resize(name.size() - suffix.size());
  return PodOwner{.kind = "Deployment", .name = std::move(name), .uid = ""};
}

// "report-29412345": the minute, since 1970, that the run was scheduled for. A number that is not
// about when the pod was made is somebody's own.
std::optional<PodOwner> DeriveCronJob(const Pod& pod) {
  constexpr int64_t kMinute = 60;
  constexpr int64_t kDay = 86'400;  // a late or a retried run
  const std::string_view name = pod.owners.front().name;
  const size_t dash = name.rfind('-');
  int64_t minute = 0;
  if (pod.created_s == 0 || dash == std::string_view::npos || dash == 0 ||
      !absl::SimpleAtoi(std::string(name.substr(dash + 1)), &minute)) {
    return std::nullopt;
  }
  if (minute < 0 || minute > pod.created_s / kMinute + 1 ||
      minute * kMinute < pod.created_s - kDay) {
    return std::nullopt;
  }
  return PodOwner{.kind = "CronJob", .name = std::string(name.substr(0, dash)), .uid = ""};
}

}  // namespace

std::optional<PodOwner> DeriveOwner(const Pod& pod) {
  if (pod.owners.empty()) return std::nullopt;
  if (pod.owners.front().kind == "ReplicaSet") return DeriveDeployment(pod);
  if (pod.owners.front().kind == "Job") return DeriveCronJob(pod);
  return std::nullopt;
}

}  // namespace sonde::kubernetes
