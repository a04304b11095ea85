// SPDX-License-Identifier: Apache-2.0
// Which container, pod and systemd unit a process is in, from the paths of its control groups, and
// where these are hidden by a private namespace from what is mounted into the container. Knows the
// forms of docker, containerd, CRI-O, podman, LXC, Kubernetes and ECS. Any input is fine.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sonde/pipeline/workload.h"

namespace sonde::container {

// `paths`: as ProcessFacts::cgroups. The first path that names a container tells; a runtime's own
// monitor (conmon) is in no container, though its control group is named after one.
Membership ReadMembership(std::span<const std::string> paths);

// The paths lead nowhere: what reads them, or the process, is in a control group namespace of its
// own.
bool PathsAreHidden(std::span<const std::string> paths);

// Adds container or pod, whichever the text of /proc/PID/mountinfo tells: runtimes bind files of
// the container's directory over /etc/hostname and /etc/hosts.
void AddFromMounts(std::string_view mountinfo, Membership& membership);

}  // namespace sonde::container
