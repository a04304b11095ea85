/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The plain text of TLS connections. Key: how the connection is named; made by the socket hooks
 * when they see a hello, else by the first text that finds no entry. Removed when the socket ends,
 * else by LRU: then the next text begins a new stream. 16,384 connections with plain text at once.
 */
#ifndef SONDE_BPF_MAPS_TEXTS_H
#define SONDE_BPF_MAPS_TEXTS_H

#include "maps/drops.bpf.h"
#include "socket/socket_state.bpf.h"

struct sonde_text {
	struct sonde_socket socket; /* as if the text were moved on a socket of its own */
	__u64 name;                 /* the same at both ends of the connection, 0 = not known */
	__u64 sk;                   /* address of the struct sock beneath, 0 = not known */
	/* The last write, by which one that is made again is known. */
	__u64 last_text;
	__u32 last_length;
	__u32 last_sequence; /* the socket's write_seq before it */
	/* An object that looks for its socket: the one that was beside it last, and how often. */
	__u64 candidate;
	__u64 votes;
	__u64 hello_ns;  /* when the client's hello was seen, 0 = it was not */
	__u64 probed_ns; /* since when the object's library is, as of the first text; 0 = not yet */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sonde_text_key);
	__type(value, struct sonde_text);
} sonde_texts SEC(".maps");

/* What a new entry is copied from, too large for the stack: zeros. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_text);
} sonde_text_zero SEC(".maps");

/* Which text is a socket's: that of the hello it carried, or of the object it was found to belong
 * to. Key: the socket's inode. Removed when the socket ends. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct sonde_text_key);
} sonde_texts_bound SEC(".maps");

static __always_inline struct sonde_text *sonde_text_create(const struct sonde_text_key *key,
							    __u64 connection, __u64 inode, __u64 sk)
{
	__u32 zero = 0;
	void *template = bpf_map_lookup_elem(&sonde_text_zero, &zero);
	struct sonde_text *text;

	if (!template || bpf_map_update_elem(&sonde_texts, key, template, BPF_ANY))
		goto full;
	text = bpf_map_lookup_elem(&sonde_texts, key);
	if (!text)
		goto full;
	text->socket.connection = connection | SONDE_TEXT_ID;
	text->socket.inode = inode;
	text->sk = sk;
	sonde_capture_init(&text->socket.capture);
	return text;
full:
	sonde_drop(SONDE_DROP_TEXT_STATE_FULL);
	return 0;
}

#endif
