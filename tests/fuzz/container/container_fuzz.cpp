// SPDX-License-Identifier: Apache-2.0
// Everything that is read about containers: control group paths, mounts, an engine's answers,
// files.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "container/docker_json.h"
#include "container/membership.h"
#include "container/state_files.h"
#include "container/text.h"
#include "sonde/pipeline/workload.h"

namespace {

using sonde::ContainerFacts;

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckFacts(const ContainerFacts& facts) {
  for (const std::string* name : {&facts.name, &facts.image_name, &facts.image_id}) {
    Check(name->size() <= sonde::container::kMaxNameBytes);
    for (const char c : *name) Check(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  }
  Check(facts.labels.size() <= 256);
  for (const auto& [key, value] : facts.labels) {
    Check(key.size() <= sonde::container::kMaxKeyBytes && value.size() <= sonde::kMaxLabelBytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sonde::container;
  const std::string text(reinterpret_cast<const char*>(data), size);
  sonde::Membership membership = ReadMembership(std::vector<std::string>{text});
  Check(membership.container_id.size() <= 255 && membership.unit.size() <= 255);
  Check(membership.pod_uid.empty() || membership.pod_uid.size() == 32 ||
        membership.pod_uid.size() == 36);
  AddFromMounts(text, membership);
  size_t cut = 0;
  if (auto facts = ParseDockerContainer(text, &cut)) {
    CheckFacts(*facts);
    AddDockerImage(text, *facts);
    CheckFacts(*facts);
  }
  const std::string id(64, 'a');
  if (const auto facts = ParseContainerdSpec(id, text, &cut)) CheckFacts(*facts);
  if (const auto facts = ParseCrioSpec(id, text, &cut)) CheckFacts(*facts);
  if (const auto facts = ParseStorageList(id, text, &cut)) CheckFacts(*facts);
  if (const auto event = ParseDockerEvent(text)) Check(!event->id.empty());
  for (const std::string& listed : ParseDockerList(text)) Check(!listed.empty());
  return 0;
}
