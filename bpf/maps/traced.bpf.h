/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which processes are traced. Key: tgid; value: SONDE_TRACED_* bits. Entries come from userspace
 * and from fork in the kernel; userspace and the exit program delete them. Full: the child is not
 * traced, counted. Not preallocated: usually a handful of entries.
 */
#ifndef SONDE_BPF_MAPS_TRACED_H
#define SONDE_BPF_MAPS_TRACED_H

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} sonde_traced SEC(".maps");

#define SONDE_TRACED         1       /* always */
#define SONDE_TRACED_SEEKS   2       /* TLS objects of the process look for their sockets, or may */
#define SONDE_TRACED_RUNTIME 4       /* the process has an entry in sonde_runtimes */
#define SONDE_TRACED_FINDS   8       /* it is known whether they do */
#define SONDE_TRACED_HELLO   0x10000 /* from this bit on: TLS handshakes before any text */
#define SONDE_MAX_HELLOS     256     /* so many without a text: its library is not probed */

/* Null: not traced. */
static __always_inline __u32 *sonde_traced_flags(__u32 tgid)
{
	return bpf_map_lookup_elem(&sonde_traced, &tgid);
}

static __always_inline bool sonde_is_traced(__u32 tgid)
{
	return sonde_traced_flags(tgid) != 0;
}

#endif
