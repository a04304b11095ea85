/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Plain text that a TLS library took or gave: made into the same records as bytes on a socket, by
 * the same policy, on a connection of its own that has the socket's ends.
 */
#ifndef SONDE_BPF_TLS_TEXT_H
#define SONDE_BPF_TLS_TEXT_H

#include "core/sonde.bpf.h"
#include "maps/ring.bpf.h"
#include "maps/texts.bpf.h"
#include "socket/emit.bpf.h"
#include "tls/object.bpf.h"
#include "tls/open_text.bpf.h"
#include "tls/room.bpf.h"

/* More at once is no length. */
#define SONDE_TLS_MAX_TEXT (1U << 30)

/*
 * A write that could not finish is made again with the same text. One that has the address and the
 * length of the last is such a retry if the socket has not taken that one since, whole: then at
 * least its length and the least that a record adds to it.
 */
#define SONDE_TLS_RECORD_ADDS 21 /* header 5, tag 16 */

static __always_inline bool sonde_text_is_retry(const struct sonde_tls_probe *probe,
						struct sonde_text *text,
						const struct sonde_tls_object *object,
						__u64 address, __u32 length)
{
	struct tcp_sock *tcp = (struct tcp_sock *)text->sk;
	__u32 sequence;
	bool same;

	if (!probe->retries || !tcp ||
	    BPF_CORE_READ((struct sock *)tcp, sk_protocol) != SONDE_IPPROTO_TCP)
		return false;
	sequence = BPF_CORE_READ(tcp, write_seq);
	same = text->last_text == address && text->last_length == length &&
	       sequence - text->last_sequence < length + SONDE_TLS_RECORD_ADDS;
	if (same && sonde_bio_may_wait(probe, object))
		return true;
	text->last_text = address;
	text->last_length = length;
	text->last_sequence = sequence;
	return false;
}

static __always_inline void sonde_text_first(struct sonde_text *text,
					     const struct sonde_tls_probe *probe)
{
	if (text->name && !text->votes)
		sonde_count(SONDE_COUNT_TLS_BY_RANDOM);
	text->probed_ns = probe->attached_ns;
	sonde_text_open(text);
}

static __always_inline int sonde_text_emit(struct sonde_scratch *scratch, struct sonde_text *text,
					   const struct sonde_tls_probe *probe)
{
	sonde_decide(scratch, &text->socket);
	if (scratch->call.quiet)
		return sonde_count(SONDE_COUNT_QUIET);
	if (!sonde_swap(&text->socket.opened, 1))
		sonde_text_first(text, probe);
	sonde_who(scratch, &text->socket);
	if (text->socket.capture.socket_class == SONDE_CLASS_HTTP2)
		return sonde_emit_http2(scratch, &text->socket);
	return sonde_emit(scratch, &text->socket);
}

/* Text that a TLS object took or gave. */
struct sonde_tls_moved {
	__u64 object;
	__u64 text; /* user address of the bytes; with pieces, of an array like iovec's */
	__u64 length;
	__u64 pieces; /* how many, 0 = the text is in one */
	__u64 skip;   /* bytes of the pieces before the text */
};

/* room->object is that of `moved`; `traced`: flags of the process. */
static __noinline int sonde_text_moved(const struct sonde_tls_probe *probe,
				       const struct sonde_tls_moved *moved,
				       struct sonde_tls_room *room, __u32 *traced)
{
	const struct sonde_tls_object *object = &room->object;
	__u64 length = moved->length;
	struct sonde_text *text;
	__u32 direction = probe->direction & 1;
	__u64 position;

	if (!length)
		return 0;
	if (!moved->object || length > SONDE_TLS_MAX_TEXT || moved->skip > SONDE_TLS_MAX_TEXT)
		return sonde_drop(SONDE_DROP_TEXT_UNREADABLE);
	if (probe->handshake != SONDE_NOWHERE && sonde_object_number(object, probe->handshake))
		return 0;
	text = sonde_text_find(probe, object, traced, length);
	if (!text)
		return 0;
	if (direction == SONDE_SEND &&
	    sonde_text_is_retry(probe, text, object, moved->text, length))
		return sonde_count(SONDE_COUNT_TLS_RETRY);
	position = sonde_advance(&text->socket.moved[direction], length);
	if (text->socket.capture.socket_class >= SONDE_CLASS_TLS)
		return sonde_count(SONDE_COUNT_QUIET);
	sonde_record_begin(&room->scratch, &text->socket, direction, length, position, *traced);
	room->scratch.record.source = probe->source;
	room->scratch.call.direction = direction;
	room->scratch.call.length = length;
	room->scratch.base = moved->text;
	if (!moved->pieces || sonde_payload_iov(&room->scratch, moved->text, moved->pieces)) {
		room->scratch.skip = moved->skip;
		sonde_text_emit(&room->scratch, text, probe);
	} else {
		sonde_drop(SONDE_DROP_PAYLOAD_FAULT);
	}
	return 0;
}

#endif
