// SPDX-License-Identifier: Apache-2.0
// Proves the sizes of include/sonde/abi for this compiler; bpf/core/abi_check.bpf.h does it for the
// kernel's. That the fields stand at the same places is tested against the objects' BTF.
#include "sonde/abi/control.h"
#include "sonde/abi/record.h"
#include "sonde/abi/recording.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel {

static_assert(sizeof(sonde_record_header) == SONDE_HEADER_BYTES);
static_assert(sizeof(sonde_data_record) == SONDE_DATA_RECORD_BYTES);
static_assert(sizeof(sonde_open_record) == SONDE_OPEN_RECORD_BYTES);
static_assert(sizeof(sonde_shutdown_record) == SONDE_SHUTDOWN_RECORD_BYTES);
static_assert(sizeof(sonde_process_record) == SONDE_PROCESS_RECORD_BYTES);
static_assert(sizeof(sonde_mapped_record) == SONDE_MAPPED_RECORD_BYTES);
static_assert(sizeof(sonde_tls_probe) == SONDE_TLS_PROBE_BYTES);
static_assert(sizeof(sonde_tls_method) == SONDE_TLS_METHOD_BYTES);
static_assert(sizeof(sonde_execution_record) == SONDE_EXECUTION_RECORD_BYTES);
static_assert(sizeof(sonde_runtime) == SONDE_RUNTIME_BYTES);
static_assert(sizeof(sonde_runtime_probe) == SONDE_RUNTIME_PROBE_BYTES);
static_assert(sizeof(sonde_parker_key) == SONDE_PARKER_KEY_BYTES);
static_assert(sizeof(sonde_parker) == SONDE_PARKER_BYTES);
static_assert(sizeof(sonde_settings) == SONDE_SETTINGS_BYTES);
static_assert(sizeof(sonde_recording_header) == SONDE_RECORDING_HEADER_BYTES);
static_assert(sizeof(sonde_resource_record) == SONDE_RESOURCE_RECORD_BYTES);

// The typed events use the same numbers.
static_assert(static_cast<int>(Direction::kReceive) == SONDE_RECEIVE);
static_assert(static_cast<int>(Direction::kSend) == SONDE_SEND);
static_assert(static_cast<int>(Source::kSocket) == SONDE_SOURCE_SOCKET);
static_assert(static_cast<int>(Source::kOpenSsl) == SONDE_SOURCE_OPENSSL);
static_assert(static_cast<int>(Source::kBoringSsl) == SONDE_SOURCE_BORINGSSL);
static_assert(static_cast<int>(Source::kGnuTls) == SONDE_SOURCE_GNUTLS);
static_assert(static_cast<int>(Source::kGoTls) == SONDE_SOURCE_GO_TLS);
static_assert(static_cast<int>(Source::kRustls) == SONDE_SOURCE_RUSTLS);
static_assert(static_cast<int>(RuntimeKind::kNone) == SONDE_RUNTIME_NONE);
static_assert(static_cast<int>(RuntimeKind::kGo) == SONDE_RUNTIME_GO);
static_assert(static_cast<int>(RuntimeKind::kPython) == SONDE_RUNTIME_PYTHON);
static_assert(static_cast<int>(RuntimeKind::kNode) == SONDE_RUNTIME_NODE);
static_assert(static_cast<int>(RuntimeKind::kJava) == SONDE_RUNTIME_JAVA);
static_assert(static_cast<int>(RuntimeKind::kTokio) == SONDE_RUNTIME_TOKIO);
static_assert(static_cast<int>(RuntimeKind::kHaproxy) == SONDE_RUNTIME_HAPROXY);
static_assert(static_cast<int>(RuntimeKind::kOther) == SONDE_RUNTIME_OTHER);
static_assert(static_cast<int>(RuntimeKind::kRuby) == SONDE_RUNTIME_RUBY);
static_assert(static_cast<int>(ExecutionChange::kMade) == SONDE_EXECUTION_MADE);
static_assert(static_cast<int>(ExecutionChange::kStream) == SONDE_EXECUTION_STREAM);
static_assert(static_cast<int>(Transport::kTcp) == SONDE_TRANSPORT_TCP);
static_assert(static_cast<int>(Transport::kUnix) == SONDE_TRANSPORT_UNIX);

}  // namespace sonde::kernel
