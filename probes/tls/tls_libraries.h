// SPDX-License-Identifier: Apache-2.0
// Every TLS library's manifest, declared; tls_libraries.cpp lists them in the order in which a file
// is asked for them.
#pragma once

#include "sonde/probe/tls.h"

namespace sonde::probe {

extern const TlsLibrary kOpenSsl;
extern const TlsLibrary kBoringSsl;
extern const TlsLibrary kGnuTls;
extern const TlsLibrary kGoTls;
extern const TlsLibrary kRustls;

// Recognised only (probes/tls/undecoded).
extern const TlsLibrary kJava;
extern const TlsLibrary kNss;
extern const TlsLibrary kMbedTls;
extern const TlsLibrary kWolfSsl;
extern const TlsLibrary kLibreSsl;
extern const TlsLibrary kS2n;

}  // namespace sonde::probe
