/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counters: what was given up and why, and what was left out on purpose. Read by userspace, never
 * reset. */
#ifndef SONDE_BPF_MAPS_DROPS_H
#define SONDE_BPF_MAPS_DROPS_H

#include <sonde/abi/control.h>
#include <sonde/abi/drop_reason.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SONDE_DROP_REASON_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} sonde_drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SONDE_COUNT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} sonde_counts SEC(".maps");

/* Always 0, so that a program can say `return sonde_drop(reason)`. */
static __always_inline int sonde_drop(__u32 reason)
{
	__u64 *count = bpf_map_lookup_elem(&sonde_drops, &reason);

	if (count)
		__sync_fetch_and_add(count, 1); /* TLS programs can be preempted */
	return 0;
}

static __always_inline int sonde_count(__u32 what)
{
	__u64 *count = bpf_map_lookup_elem(&sonde_counts, &what);

	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

#endif
