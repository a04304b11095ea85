/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Wakes are many, and only those matter that pass on what came in on a socket: an execution that
 * received something has a token, and gives one to whom it wakes. Wakes by an execution without are
 * not told.
 */
#ifndef SONDE_BPF_TOKENS_H
#define SONDE_BPF_TOKENS_H

#include "core/sonde.bpf.h"
#include <sonde/abi/runtime.h>

struct sonde_token_key {
	__u64 execution; /* Java: thread */
	__u32 tgid;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct sonde_token_key);
	__type(value, __u8);
} sonde_tokens SEC(".maps");

static __always_inline void sonde_token_give(__u32 tgid, __u64 execution)
{
	struct sonde_token_key key = {.execution = execution, .tgid = tgid};
	__u8 one = 1;

	if (!bpf_map_lookup_elem(&sonde_tokens, &key))
		bpf_map_update_elem(&sonde_tokens, &key, &one, BPF_ANY);
}

static __always_inline bool sonde_token_has(__u32 tgid, __u64 execution)
{
	struct sonde_token_key key = {.execution = execution, .tgid = tgid};

	return bpf_map_lookup_elem(&sonde_tokens, &key) != 0;
}

/* Something was received. */
static __always_inline void sonde_token_take(__u32 tgid, __u32 tid, __u64 execution, __u32 kind)
{
	if (!(sonde_settings.wakes >> kind & 1))
		return;
	if (kind == SONDE_RUNTIME_JAVA)
		execution = tid;
	if (execution)
		sonde_token_give(tgid, execution);
}

#endif
