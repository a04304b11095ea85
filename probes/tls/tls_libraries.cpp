// SPDX-License-Identifier: Apache-2.0
#include "probes/tls/tls_libraries.h"

#include <array>
#include <span>

#include "sonde/probe/tls.h"

namespace sonde::probe {

std::span<const TlsLibrary* const> TlsLibraries() {
  static constexpr std::array kLibraries = {
      &kOpenSsl, &kBoringSsl, &kGnuTls,  &kGoTls,    &kRustls, &kJava,
      &kNss,     &kMbedTls,   &kWolfSsl, &kLibreSsl, &kS2n,
  };
  return kLibraries;
}

}  // namespace sonde::probe
