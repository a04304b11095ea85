/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers in the memory of the current process. Reads that fail give 0. */
#ifndef SONDE_BPF_USER_H
#define SONDE_BPF_USER_H

#include "core/sonde.bpf.h"

static __always_inline __u64 sonde_word(__u64 address)
{
	__u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline __u32 sonde_number(__u64 address)
{
	__u32 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)address);
	return value;
}

#endif
