/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the runtime of a traced process keeps who is at work. Key: tgid. Written by userspace when
 * it knows the process's files, copied to children at fork, deleted at exec and exit; only asked
 * for processes that are flagged SONDE_TRACED_RUNTIME.
 */
#ifndef SONDE_BPF_MAPS_RUNTIMES_H
#define SONDE_BPF_MAPS_RUNTIMES_H

#include <sonde/abi/runtime.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct sonde_runtime);
} sonde_runtimes SEC(".maps");

/* Whose bytes a loop has yet to send (uvloop). Key: connection; value: the execution. LRU: what is
 * left for a connection that ends is never sent. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u64);
} sonde_left SEC(".maps");

static __always_inline struct sonde_runtime *sonde_runtime_of(__u32 tgid)
{
	return bpf_map_lookup_elem(&sonde_runtimes, &tgid);
}

#endif
