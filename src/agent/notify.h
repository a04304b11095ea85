// SPDX-License-Identifier: Apache-2.0
// Readiness for systemd: the datagram protocol of sd_notify(3), which is a stable interface of one
// line.
#pragma once

#include <string_view>

namespace sonde::agent {

// Sends `state` ("READY=1", "STOPPING=1") to NOTIFY_SOCKET; does nothing when the service manager
// did not ask.
void NotifyServiceManager(std::string_view state);

}  // namespace sonde::agent
