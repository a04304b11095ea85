/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What names a TLS object that moves. Rust moves values: a connection is at another address when
 * the handshake is done, when the protocol is chosen, when a future is stored. What it owns on the
 * heap stays, so the pointer to that is its name.
 */
#ifndef SONDE_BPF_TLS_OWNED_H
#define SONDE_BPF_TLS_OWNED_H

#include "core/sonde.bpf.h"
#include "core/user.bpf.h"

/* Written by userspace before the probe is attached. Value: none. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_tls_method);
	__type(value, __u8);
} sonde_tls_methods SEC(".maps");

/* As far as an object is searched. */
#define SONDE_OBJECT_WORDS 128

/* A table of methods as rustc makes it: drop, size and alignment of the type, then the methods in
 * the order of the trait. */
#define SONDE_FIRST_METHOD 24

/* A boxed value without bytes has an address that is none. */
#define SONDE_FIRST_ADDRESS 4096

/* Offset of the pointer, SONDE_NOWHERE if it is not in this object. Once per probed instruction. */
SONDE_GLOBAL __s32 sonde_seek_owned(__u32 index, __u64 object, __u64 instruction)
{
	struct sonde_tls_method key = {.probe = index};
	__u64 table = 0;
	__u32 i;

	for (i = 1; i < SONDE_OBJECT_WORDS; i++) {
		if (bpf_probe_read_user(&table, sizeof(table),
					(void *)(object + i * sizeof(table))) ||
		    table < SONDE_FIRST_ADDRESS || table % sizeof(table))
			continue;
		key.distance = (__s64)(sonde_word(table + SONDE_FIRST_METHOD) - instruction);
		if (bpf_map_lookup_elem(&sonde_tls_methods, &key))
			return (__s32)((i - 1) * sizeof(table));
	}
	return SONDE_NOWHERE;
}

/* The object's name: its address, or that of what it owns. */
static __always_inline __u64 sonde_object_name(struct sonde_tls_probe *probe, __u32 index,
					       __u64 object, __u64 instruction)
{
	__u64 owned;

	if (probe->owned == SONDE_SOUGHT)
		probe->owned = sonde_seek_owned(index, object, instruction);
	if (probe->owned == SONDE_NOWHERE)
		return object;
	owned = sonde_word(object + probe->owned);
	return owned < SONDE_FIRST_ADDRESS ? object : owned;
}

#endif
