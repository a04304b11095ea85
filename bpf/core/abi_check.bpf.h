/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Proves the sizes of include/sonde/abi for the kernel's compiler; src/kernel/abi_check.cpp does it
 * for the other. */
#ifndef SONDE_BPF_ABI_CHECK_H
#define SONDE_BPF_ABI_CHECK_H

#include <sonde/abi/control.h>
#include <sonde/abi/record.h>
#include <sonde/abi/runtime.h>
#include <sonde/abi/tls.h>

_Static_assert(sizeof(struct sonde_record_header) == SONDE_HEADER_BYTES, "header");
_Static_assert(sizeof(struct sonde_data_record) == SONDE_DATA_RECORD_BYTES, "data");
_Static_assert(sizeof(struct sonde_open_record) == SONDE_OPEN_RECORD_BYTES, "open");
_Static_assert(sizeof(struct sonde_shutdown_record) == SONDE_SHUTDOWN_RECORD_BYTES, "shutdown");
_Static_assert(sizeof(struct sonde_process_record) == SONDE_PROCESS_RECORD_BYTES, "process");
_Static_assert(sizeof(struct sonde_mapped_record) == SONDE_MAPPED_RECORD_BYTES, "mapped");
_Static_assert(sizeof(struct sonde_tls_probe) == SONDE_TLS_PROBE_BYTES, "tls probe");
_Static_assert(sizeof(struct sonde_tls_method) == SONDE_TLS_METHOD_BYTES, "tls method");
_Static_assert(sizeof(struct sonde_execution_record) == SONDE_EXECUTION_RECORD_BYTES, "execution");
_Static_assert(sizeof(struct sonde_runtime) == SONDE_RUNTIME_BYTES, "runtime");
_Static_assert(sizeof(struct sonde_runtime_probe) == SONDE_RUNTIME_PROBE_BYTES, "runtime probe");
_Static_assert(sizeof(struct sonde_parker_key) == SONDE_PARKER_KEY_BYTES, "parker key");
_Static_assert(sizeof(struct sonde_parker) == SONDE_PARKER_BYTES, "parker");
_Static_assert(sizeof(struct sonde_settings) == SONDE_SETTINGS_BYTES, "settings");

#endif
