// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include <string>

#include "sonde/pipeline/event.h"

namespace sonde {

std::string Endpoint::AddressText() const {
  if (family == 1) return path;
  if (family != 4 && family != 6) return {};
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(family == 4 ? AF_INET : AF_INET6, address.data(), text, sizeof(text));
  return text;
}

}  // namespace sonde
