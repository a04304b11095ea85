/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which socket a TLS object without client random and descriptor belongs to, by what happens beside
 * it on its thread: text is read just after the record that held it was received, and the first
 * send after a write carries the record made of it. Believed only if the lengths fit (a record is
 * its text and 21, 22 or 29 bytes; 5 fewer if its header was read alone), and only when two such
 * agree, or when one is about a socket that began a TLS connection whose text nobody has yet. Time
 * alone decides nothing.
 */
#ifndef SONDE_BPF_TLS_BESIDE_H
#define SONDE_BPF_TLS_BESIDE_H

#include "core/sonde.bpf.h"
#include "maps/scratch.bpf.h"
#include "maps/texts.bpf.h"
#include "maps/traced.bpf.h"
#include "tls/open_text.bpf.h"

#define SONDE_VOTES_NEEDED 2

/* To the text of a TLS 1.3 record: header 5, type 1, tag 16. */
#define SONDE_TLS13_RECORD_ADDS 22

/* Of one thread: what it received last, and the text it wrote that was not sent yet. */
struct sonde_beside {
	__u64 received_inode;
	__u64 received_sk;
	__u32 received; /* bytes, without the records whose text was taken */
	__u32 wrote;    /* bytes, 0 = nothing waits */
	__u32 header;   /* the 5 bytes of a record's header were received alone before */
	__u32 reserved;
	struct sonde_text_key writer;
	struct sonde_text_key reader; /* that took some of it; kind 0: none has */
};

/* Key: thread. Only threads of processes that have objects without a socket. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct sonde_beside);
} sonde_besides SEC(".maps");

/* The most text of one record (RFC 8446 section 5.1): more is written as several at once. */
#define SONDE_TLS_RECORD_TEXT 16384

/* TLS 1.2: header 5, nonce 8 (AES-GCM) or none, tag 16. */
static __always_inline bool sonde_is_record_of(__u32 moved, __u32 text, bool headless)
{
	__u32 records = (text + SONDE_TLS_RECORD_TEXT - 1) / SONDE_TLS_RECORD_TEXT;
	__u32 more = moved - text + (headless ? SONDE_TLS_RECORD_HEADER : 0);

	return more == records * SONDE_TLS13_RECORD_ADDS || more == records * 21 ||
	       more == records * 29;
}

/* The same behind the message that ends a TLS 1.3 handshake, a record of 58 or 74 bytes (SHA-256,
 * SHA-384; RFC 8446 section 4.4.4), perhaps with a change of cipher, 6 bytes, before it: a client
 * may send its first text at once. */
static __always_inline bool sonde_is_finish_and_record_of(__u32 received, __u32 text)
{
	__u32 more = received - text - SONDE_TLS13_RECORD_ADDS;

	return more == 58 || more == 58 + 6 || more == 74 || more == 74 + 6;
}

/* The text of the socket's handshake, if it was seen and no text has been found to be its. */
static __always_inline struct sonde_text *sonde_text_awaited(__u64 inode,
							     struct sonde_text_key *key)
{
	struct sonde_text_key *bound = bpf_map_lookup_elem(&sonde_texts_bound, &inode);
	struct sonde_text *text;

	if (!bound)
		return 0;
	*key = *bound;
	text = bpf_map_lookup_elem(&sonde_texts, key);
	if (!text || !text->name || text->socket.moved[0] || text->socket.moved[1])
		return 0;
	return text;
}

/* The object's socket may be this one. */
static __always_inline void sonde_vote(struct sonde_text *text, const struct sonde_text_key *key,
				       __u64 inode, __u64 sk)
{
	struct sonde_text_key begun;
	struct sonde_text *awaited = sonde_text_awaited(inode, &begun);

	if (text->candidate != inode) {
		text->candidate = inode;
		text->votes = 0;
	}
	if (++text->votes < SONDE_VOTES_NEEDED && !awaited)
		return;
	if (awaited) {
		text->name = awaited->name;
		text->hello_ns = awaited->hello_ns;
		bpf_map_delete_elem(&sonde_texts, &begun);
	}
	text->socket.inode = inode;
	text->sk = sk;
	/* It was left out only because its port was not known. */
	if (text->socket.capture.socket_class == SONDE_CLASS_REFUSED)
		sonde_capture_init(&text->socket.capture);
	bpf_map_update_elem(&sonde_texts_bound, &inode, key, BPF_ANY);
	sonde_count(SONDE_COUNT_TLS_BY_LENGTH);
	if (text->socket.opened)
		sonde_text_open(text);
}

/* A socket call of a process that has objects without a socket; scratch->sk says which. Global:
 * verified once. */
SONDE_GLOBAL int sonde_beside_socket(struct sonde_scratch *scratch, __u64 inode, __u32 direction,
				     __u32 length)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct sonde_beside *beside = bpf_map_lookup_elem(&sonde_besides, &thread);
	struct sonde_text_key key;
	struct sonde_text *text;
	__u64 sk;

	if (!scratch)
		return 0;
	sk = scratch->sk;
	if (!beside) {
		struct sonde_beside none = {};

		bpf_map_update_elem(&sonde_besides, &thread, &none, BPF_ANY);
		beside = bpf_map_lookup_elem(&sonde_besides, &thread);
		if (!beside)
			return 0;
	}
	if (direction == SONDE_RECEIVE) {
		beside->header =
		    beside->received == SONDE_TLS_RECORD_HEADER && beside->received_inode == inode;
		beside->received_inode = inode;
		beside->received_sk = sk;
		beside->received = length;
		beside->reader.kind = 0;
		return 0;
	}
	if (!beside->wrote)
		return 0;
	key = beside->writer;
	if (sonde_is_record_of(length, beside->wrote, false)) {
		text = bpf_map_lookup_elem(&sonde_texts, &key);
		if (text && !text->sk)
			sonde_vote(text, &key, inode, sk);
	}
	beside->wrote = 0; /* only the first send after a write says anything */
	return 0;
}

static __always_inline bool sonde_same_text(const struct sonde_text_key *one,
					    const struct sonde_text_key *other)
{
	return one->name[0] == other->name[0] && one->tgid == other->tgid &&
	       one->kind == other->kind;
}

/* Text that the object took of what its thread received last: of the one record in that, or of
 * several, one by one, of which the last decides. */
static __always_inline void sonde_beside_taken(struct sonde_beside *beside, struct sonde_text *text,
					       const struct sonde_text_key *key, __u32 length)
{
	__u32 received = beside->received;

	if (beside->reader.kind && !sonde_same_text(&beside->reader, key)) {
		beside->received_sk = 0;
	} else if (sonde_is_record_of(received, length, beside->header) ||
		   sonde_is_finish_and_record_of(received, length)) {
		sonde_vote(text, key, beside->received_inode, beside->received_sk);
		beside->received_sk = 0;
	} else if (received > length + SONDE_TLS13_RECORD_ADDS) {
		beside->received = received - length - SONDE_TLS13_RECORD_ADDS;
		beside->reader = *key;
	} else {
		beside->received_sk = 0;
	}
}

/* Text of an object that has no socket yet. */
static __always_inline void sonde_beside_text(struct sonde_text *text,
					      const struct sonde_text_key *key, __u32 direction,
					      __u32 length)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct sonde_beside *beside = bpf_map_lookup_elem(&sonde_besides, &thread);

	if (!beside)
		return; /* no socket call since the process began to look */
	if (direction == SONDE_SEND) {
		beside->writer = *key;
		beside->wrote = length;
	} else if (beside->received_sk) {
		sonde_beside_taken(beside, text, key, length);
	}
}

#endif
