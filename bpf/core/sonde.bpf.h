/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every object begins with: kernel types, helpers, settings, licence. */
#ifndef SONDE_BPF_SONDE_H
#define SONDE_BPF_SONDE_H

#include "core/kernel_types.bpf.h"
#include "core/arch.bpf.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "core/abi_check.bpf.h"

/* Set by userspace before load, then constant: the verifier removes what is switched off. */
const volatile struct sonde_settings sonde_settings = {};

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#endif
