// SPDX-License-Identifier: Apache-2.0
#include "resource/process_resource.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "resource/arguments.h"
#include "resource/environment.h"
#include "resource/host.h"
#include "resource/identity.h"
#include "resource/owned_resource.h"
#include "resource/pod_attributes.h"
#include "resource/process_context.h"
#include "resource/service_name.h"
#include "resource/surroundings.h"
#include "resource/text.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/workload.h"

namespace sonde::resource {
namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr std::string_view kUnknownService = "unknown_service";

// Facts about the process that only sonde can tell; anything else may be overridden from outside.
bool IsFound(std::string_view key) {
  return key.starts_with("process.") || key.starts_with("telemetry.sdk.");
}

void AddGiven(ResourceBuilder& builder, const KeyValues& pairs) {
  for (const auto& [key, value] : pairs) {
    if (IsFound(key) || (key == "service.name" && value.empty())) continue;
    builder.AddOwned(key, value);
  }
}

void AddSdk(ResourceBuilder& builder, Language language) {
  builder.AddText("telemetry.sdk.name", "sonde");
  builder.AddText("telemetry.sdk.language", std::string(LanguageName(language)));
  builder.AddText("telemetry.sdk.version", SONDE_VERSION);
}

void Replace(OwnedResource& resource, std::string_view key, AttributeValue value) {
  for (Attribute& attribute : resource.attributes) {
    if (attribute.key != key) continue;
    attribute.value = std::move(value);
    return;
  }
}

// Stronger than all that is there.
void AddPublished(const ProcessContext& context, ResourceBuilder& builder) {
  OwnedResource& resource = builder.resource();
  for (const auto& [key, value] : context) {
    const bool is_name = key == "service.name";
    const auto* text = std::get_if<std::string>(&value);
    if (IsFound(key) || (is_name && (text == nullptr || text->empty()))) continue;
    if (is_name) resource.name_from = NameFrom::kProcess;
    if (key == "service.instance.id") resource.instance_id_given = true;
    if (builder.Has(key)) {
      Replace(resource, key, value);
    } else {
      builder.AddOwned(key, value);
    }
  }
}

}  // namespace

std::span<const std::string> ResourceEnv() {
  static const std::array<std::string, 4> kNames = {"OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES",
                                                    "FLASK_APP", "INVOCATION_ID"};
  return kNames;
}

ProcessResource::ProcessResource(ResourceOptions options, HostFacts host)
    : options_(std::move(options)), host_(std::move(host)) {}

std::string ProcessResource::InstanceIdOf(uint32_t pid, uint64_t start_ticks) const {
  const std::string& boot = host_.boot_id.empty() ? host_.id : host_.boot_id;
  return InstanceId(boot + "/" + std::to_string(pid) + "/" + std::to_string(start_ticks));
}

void ProcessResource::AddConfigured(ResourceBuilder& builder) const {
  builder.AddText("service.name", ToUtf8(options_.service_name, kMaxNameBytes));
  AddGiven(builder, options_.attributes);
}

void ProcessResource::AddProcess(ResourceBuilder& builder, const ProcessFacts& facts,
                                 const RuntimeFacts& runtime) const {
  builder.Add("process.pid", static_cast<int64_t>(facts.pid));
  builder.Add("process.parent_pid", static_cast<int64_t>(facts.parent));
  builder.AddText("process.executable.name", ToUtf8(facts.exe_name()));
  builder.AddText("process.executable.path", ToUtf8(facts.exe));
  if (!facts.args.empty()) {
    builder.AddText("process.command", ToUtf8(facts.args[0], kMaxNameBytes));
  }
  if (options_.command_line && facts.args.size() > 1) {
    builder.Add("process.command_args", ShownArguments(facts.args));
  }
  if (facts.has_uid) {
    const auto user = host_.users.find(facts.uid);
    builder.AddText("process.owner",
                    user == host_.users.end() ? std::to_string(facts.uid) : user->second);
  }
  if (host_.boot_wall_s != 0 && facts.start_ticks != 0) {
    builder.AddText("process.creation.time", CreationTime(host_.boot_wall_s, facts.start_ticks));
  }
  builder.AddText("process.runtime.name", runtime.name);
  builder.AddText("process.runtime.version", ToUtf8(runtime.version));
  if (!facts.cgroups.empty()) {
    builder.AddText("process.linux.cgroup", ToUtf8(facts.cgroups.front()));
  }
  // Sessions and containers inherit the variable from the unit that began them.
  const std::string* invocation = facts.Env("INVOCATION_ID");
  const Membership& of = facts.around.membership;
  if (invocation != nullptr && of.container_id.empty() && of.unit.ends_with(".service")) {
    builder.AddText("sonde.systemd.invocation_id", ToUtf8(*invocation, kMaxNameBytes));
  }
}

std::shared_ptr<const OwnedResource> ProcessResource::Make(const ProcessFacts& facts,
                                                           const RuntimeFacts& runtime,
                                                           bool* malformed) const {
  ResourceBuilder builder;
  if (const std::string* name = facts.Env("OTEL_SERVICE_NAME")) {
    builder.AddText("service.name", ToUtf8(*name, kMaxNameBytes));
  }
  if (const std::string* attributes = facts.Env("OTEL_RESOURCE_ATTRIBUTES")) {
    const auto pairs = ParseResourceAttributes(*attributes);
    *malformed = !pairs;
    if (pairs) AddGiven(builder, *pairs);
  }
  const bool said = builder.Has("service.name");
  AddConfigured(builder);
  if (builder.Has("service.name")) {
    builder.resource().name_from = said ? NameFrom::kProcess : NameFrom::kConfigured;
  }
  builder.resource().host_id_given = builder.Has("host.id");
  builder.AddText("service.name",
                  ToUtf8(RuntimeServiceName(facts, runtime.language), kMaxNameBytes));
  builder.AddText("service.name", std::string(kUnknownService));
  builder.resource().instance_id_given = builder.Has("service.instance.id");
  builder.AddText("service.instance.id", InstanceIdOf(facts.pid, facts.start_ticks));
  AddSdk(builder, runtime.language);
  AddProcess(builder, facts, runtime);
  host_.AddTo(builder);
  return builder.Build();
}

std::shared_ptr<const OwnedResource> ProcessResource::Surround(
    std::shared_ptr<const OwnedResource> base, const Surroundings& around,
    std::shared_ptr<const RuleSettings> rule, const ProcessContext& context,
    const std::string& runtime_version) const {
  ResourceBuilder builder(std::move(base));
  OwnedResource& resource = builder.resource();
  for (const Attribute& attribute : cloud_) {
    // The conventions want the cloud's own id, unless somebody chose one.
    const bool found = attribute.key == "host.id" && !resource.host_id_given;
    if (found && builder.Has(attribute.key)) Replace(resource, attribute.key, attribute.value);
    builder.Add(attribute.key, attribute.value);
  }
  builder.AddText("process.runtime.version", ToUtf8(runtime_version));
  AddPublished(context, builder);
  if (rule != nullptr && !rule->service_name.empty() && resource.name_from != NameFrom::kProcess) {
    Replace(resource, "service.name", ToUtf8(rule->service_name, kMaxNameBytes));
    resource.name_from = NameFrom::kConfigured;
  }
  resource.rule = std::move(rule);
  std::string name = NameAround(around);
  if (resource.name_from == NameFrom::kFound && !name.empty())
    Replace(resource, "service.name", std::move(name));
  if (around.pod != nullptr) {
    std::string id = PodInstanceId(*around.pod);
    if (!resource.instance_id_given && !id.empty()) {
      Replace(resource, "service.instance.id", std::move(id));
    }
    AddPod(*around.pod, options_.kubernetes, builder);
  }
  AddSurroundings(around, options_.container_labels, builder);
  return builder.Build();
}

std::string ProcessResource::NameAround(const Surroundings& around) const {
  return around.pod == nullptr ? SurroundingsServiceName(around)
                               : PodServiceName(*around.pod, options_.kubernetes);
}

std::shared_ptr<const OwnedResource> ProcessResource::Fork(const OwnedResource& parent,
                                                           uint32_t pid, uint32_t parent_pid,
                                                           uint64_t start_ticks) const {
  OwnedResource child = parent;
  Replace(child, "process.pid", static_cast<int64_t>(pid));
  Replace(child, "process.parent_pid", static_cast<int64_t>(parent_pid));
  if (host_.boot_wall_s != 0 && start_ticks != 0) {
    Replace(child, "process.creation.time", CreationTime(host_.boot_wall_s, start_ticks));
  }
  if (!parent.instance_id_given) {
    Replace(child, "service.instance.id", InstanceIdOf(pid, start_ticks));
  }
  return std::make_shared<const OwnedResource>(std::move(child));
}

std::shared_ptr<const OwnedResource> ProcessResource::Wire() const {
  ResourceBuilder builder;
  AddConfigured(builder);
  builder.AddText("service.name", std::string(kUnknownService));
  AddSdk(builder, Language::kGeneric);
  return builder.Build();
}

}  // namespace sonde::resource
