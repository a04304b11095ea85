/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What userspace found out about connections the kernel was unsure of. Key: connection id; value:
 * enum sonde_verdict. Written by userspace, deleted here when obeyed. LRU: a verdict nobody asks
 * for makes room for a newer one.
 */
#ifndef SONDE_BPF_MAPS_VERDICTS_H
#define SONDE_BPF_MAPS_VERDICTS_H

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} sonde_verdicts SEC(".maps");

static __always_inline __u32 sonde_take_verdict(__u64 connection)
{
	__u32 *entry = bpf_map_lookup_elem(&sonde_verdicts, &connection);
	__u32 verdict;

	if (!entry)
		return 0;
	verdict = *entry;
	bpf_map_delete_elem(&sonde_verdicts, &connection);
	return verdict;
}

#endif
