// SPDX-License-Identifier: Apache-2.0
// Makes the resource of a process from its facts.
//
// service.name, first that is set: what the process publishes (OTEP 4719); OTEL_SERVICE_NAME of the
// process; service.name in its
// OTEL_RESOURCE_ATTRIBUTES; the name that the rule gives by which it was chosen; the configured
// default (--service-name, then --resource service.name=);
// label com.docker.compose.service of the container; the container's name; the systemd unit;
// what the runtime says; the executable's name; "unknown_service". A configured default thus names
// every process that does not name itself. Other attributes: the process's environment, then
// --resource, then what was found; process.* and telemetry.sdk.* are always what was found, because
// children inherit the environment.
//
// telemetry.sdk.language is the language of the traced program, as other out-of-process
// instrumentation has it (opentelemetry-ebpf-instrumentation); "generic" for native code of unknown
// language. process.command_args is there only if wanted: the conventions make it opt-in, and what
// looks like a secret is replaced.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "resource/host.h"
#include "resource/owned_resource.h"
#include "resource/process_context.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/workload.h"

namespace sonde::resource {

// ProcessFields and environment variables that Make() uses.
constexpr uint32_t kResourceFields =
    kFieldExe | kFieldArgs | kFieldEnv | kFieldCgroups | kFieldOwner | kFieldCwd | kFieldWorkload;
std::span<const std::string> ResourceEnv();

class ProcessResource {
 public:
  ProcessResource(ResourceOptions options, HostFacts host);

  // `*malformed` is set if OTEL_RESOURCE_ATTRIBUTES could not be used.
  std::shared_ptr<const OwnedResource> Make(const ProcessFacts& facts, const RuntimeFacts& runtime,
                                            bool* malformed) const;
  // The same with what is known of container and unit added, and what the rule that chose the
  // process says, if any, and, above all, what the process publishes of itself. `base` is Make()'s
  // or Fork()'s; `runtime_version` adds what that could not tell.
  std::shared_ptr<const OwnedResource> Surround(std::shared_ptr<const OwnedResource> base,
                                                const Surroundings& around,
                                                std::shared_ptr<const RuleSettings> rule,
                                                const ProcessContext& context,
                                                const std::string& runtime_version = "") const;
  // The resource of a child that has not executed anything yet: its parent's with another identity.
  std::shared_ptr<const OwnedResource> Fork(const OwnedResource& parent, uint32_t pid,
                                            uint32_t parent_pid, uint64_t start_ticks) const;
  // service.name of what is known of container, pod or unit alone; "" if that names none.
  std::string NameAround(const Surroundings& around) const;
  // What a cloud says of this host, in the resources made from now on.
  void SetCloud(Attributes cloud) { cloud_ = std::move(cloud); }
  // For packets: nothing is known of any process or host.
  std::shared_ptr<const OwnedResource> Wire() const;

 private:
  void AddConfigured(ResourceBuilder& builder) const;
  void AddProcess(ResourceBuilder& builder, const ProcessFacts& facts,
                  const RuntimeFacts& runtime) const;
  std::string InstanceIdOf(uint32_t pid, uint64_t start_ticks) const;

  ResourceOptions options_;
  HostFacts host_;
  Attributes cloud_;
};

}  // namespace sonde::resource
