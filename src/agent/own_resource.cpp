// SPDX-License-Identifier: Apache-2.0
#include "agent/own_resource.h"

#include <unistd.h>

#include <memory>
#include <string>

#include "agent/version.h"
#include "resource/host.h"
#include "resource/owned_resource.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/span.h"

namespace sonde::agent {

std::shared_ptr<const Resource> OwnResource(const ResourceOptions& options) {
  const resource::HostFacts host = resource::ReadHost(ProcessReader("/proc"), options.host_root);
  resource::ResourceBuilder builder;
  const std::string pid = std::to_string(getpid());
  builder.AddText("service.name", "sonde");
  builder.AddText("service.version", Version());
  // Unlike the pid alone it differs between hosts, so that no two write the same series.
  builder.AddText("service.instance.id", host.name.empty() ? pid : host.name + ":" + pid);
  for (const auto& [name, value] : options.attributes) builder.AddOwned(name, value);
  host.AddTo(builder);
  return builder.Build();
}

}  // namespace sonde::agent
