/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The capture policy: how much of each call's bytes is worth copying. Decides from the socket's
 * class and the first bytes of the call; a body costs a record, not its bytes. Pure: tested and
 * fuzzed natively, run in the kernel.
 *
 *   UNKNOWN --HTTP start--> HTTP1
 *   UNKNOWN --TLS hello--> TLS
 *   UNKNOWN --budget used up, nobody knows it--> OTHER --HTTP start, hello--> as UNKNOWN
 *   UNKNOWN, OTHER --preface, frames that lead to each other, verdict--> HTTP2
 *   HTTP1 --101 response--> UNKNOWN, with a new budget
 *   HTTP1 --CONNECT, then a TLS hello--> TLS
 *   any --verdict refused, port not wanted--> REFUSED (for good)
 */
#ifndef SONDE_WIRE_CAPTURE_H
#define SONDE_WIRE_CAPTURE_H

#include <sonde/abi/control.h>
#include <sonde/abi/record.h>
#include <sonde/wire/capture_limits.h>
#include <sonde/wire/chunk_walk.h>
#include <sonde/wire/frame_walk.h>
#include <sonde/wire/head_end.h>
#include <sonde/wire/sniff.h>

/* NOLINTBEGIN: plain C, compiled on both sides of the kernel boundary */

enum sonde_class {
	SONDE_CLASS_UNKNOWN = 0, /* everything is copied, within a budget */
	SONDE_CLASS_HTTP1 = 1,
	SONDE_CLASS_HTTP2 = 2, /* frame headers and header blocks, of DATA the length */
	SONDE_CLASS_OTHER =
	    3, /* no records; starts are still looked for, so that a late attach finds HTTP */
	SONDE_CLASS_TLS = 4,     /* no records */
	SONDE_CLASS_REFUSED = 5, /* no records, nothing looked at */
};

#define SONDE_CAPTURE_PIPELINED                                                                    \
	1 /* messages are sent back to back: large records may hold a head anywhere */
#define SONDE_CAPTURE_UPGRADED 2 /* a 101 response was seen: it is HTTP/1 no longer */
#define SONDE_CAPTURE_TUNNEL   4 /* the last request was CONNECT: TLS may follow */

/* "101" in bytes 9 to 11 of a status line, as the word from byte 8 has them. */
#define SONDE_SWITCHING_PROTOCOLS 0x31303100

struct sonde_capture_direction {
	__u64 partial; /* first bytes of what may become a start, from records too short to tell */
	__u32 budget;  /* bytes that may still be copied for this head (or while UNKNOWN) */
	__u8 partial_bytes; /* 0..7 */
	__u8 head_open;     /* the end of the head was not seen yet */
	__u8 carry;         /* enum sonde_head_carry */
	__u8 heads;         /* that ended with their record, modulo 256 */
	struct sonde_chunk_walk
	    chunks; /* the body behind the last head; advanced by whoever copies the bytes */
	struct sonde_frame_walk frames; /* of HTTP/2; the same */
};

/* Zero-initialised = UNKNOWN, except for the budgets: see sonde_capture_init. */
struct sonde_capture_state {
	struct sonde_capture_direction direction[2];
	__u8 socket_class;   /* enum sonde_class */
	__u8 flags;          /* SONDE_CAPTURE_* */
	__u8 last_start;     /* 1 + direction of the last message start, 0 = none or unsure */
	__u8 last_direction; /* 1 + direction of the last call */
	__u32 since_start;   /* records since a message start */
};

struct sonde_capture_call {
	__u32 direction;
	__u32 length; /* bytes moved, > 0 */
	__u32 have;   /* bytes readable in the buffer, as sonde_capture_peek asked */
	/* out: */
	__u32 quiet;    /* no record */
	__u32 captured; /* bytes from the start, <= length; may be more than `have` */
	__u32 tail;     /* bytes from the end, <= length - captured */
	__u32 hello;    /* 1 + where in the call a TLS handshake message begins, 0 = none */
};

static inline void sonde_capture_init(struct sonde_capture_state *state)
{
	state->direction[0].budget = SONDE_UNKNOWN_BUDGET;
	state->direction[1].budget = SONDE_UNKNOWN_BUDGET;
}

/* Is it time to ask map sonde_verdicts about this connection? */
static inline __u32 sonde_capture_asks(const struct sonde_capture_state *state, __u32 direction)
{
	if (state->socket_class == SONDE_CLASS_UNKNOWN)
		return !state->direction[direction & 1].budget;
	/* OTHER: what userspace found in the first bytes may have come too late. */
	return (state->socket_class == SONDE_CLASS_HTTP1 ||
		state->socket_class == SONDE_CLASS_OTHER) &&
	       state->since_start % SONDE_ASK_EVERY == SONDE_ASK_EVERY - 1;
}

/* `verdict`: enum sonde_verdict, 0 = none was given. */
static inline void sonde_capture_answer(struct sonde_capture_state *state, __u32 verdict)
{
	/* Said when the connection was recognised, and not asked for since. */
	if (verdict == SONDE_VERDICT_HTTP1 && state->flags & SONDE_CAPTURE_UPGRADED)
		verdict = 0;
	if (verdict == SONDE_VERDICT_REFUSED) {
		state->socket_class = SONDE_CLASS_REFUSED;
	} else if (verdict == SONDE_VERDICT_HTTP1) {
		state->socket_class = SONDE_CLASS_HTTP1;
		state->direction[0].budget = SONDE_HEAD_BUDGET;
		state->direction[1].budget = SONDE_HEAD_BUDGET;
	} else if (verdict == SONDE_VERDICT_HTTP2) {
		state->socket_class = SONDE_CLASS_HTTP2;
	} else if (state->socket_class == SONDE_CLASS_UNKNOWN) {
		state->socket_class = SONDE_CLASS_OTHER;
	}
}

/* How many bytes sonde_capture_decide wants to see; 0 = none, the call is quiet. */
static inline __u32 sonde_capture_peek(const struct sonde_capture_state *state, __u32 direction,
				       __u32 length)
{
	switch (state->socket_class) {
	case SONDE_CLASS_OTHER:
		return sonde_min(length, SONDE_OTHER_PREFIX);
	case SONDE_CLASS_TLS:
	case SONDE_CLASS_REFUSED:
		return 0;
	}
	if (length <= SONDE_SMALL_RECORD)
		return length;
	if (state->socket_class == SONDE_CLASS_HTTP2)
		return state->direction[direction & 1].frames.state == SONDE_FRAMES_WALK
			   ? SONDE_PREFACE_BYTES
			   : sonde_min(length, SONDE_HEAD_SCAN);
	/* Only the middle of a body needs no scan: a new message begins after the other side has
	 * spoken. */
	if (state->socket_class == SONDE_CLASS_HTTP1 &&
	    !state->direction[direction & 1].head_open && state->last_direction == direction + 1)
		return SONDE_BODY_PREFIX;
	return sonde_min(length, SONDE_HEAD_SCAN);
}

/* Joins the bytes kept from earlier short records with the first ones of this record, and sniffs.
 */
static inline __u32 sonde_capture_sniff(struct sonde_capture_state *state,
					struct sonde_capture_direction *dir,
					const struct sonde_first_bytes *first, __u32 have)
{
	__u32 total = sonde_min(have, SONDE_SNIFF_BYTES);
	__u32 liberal = state->socket_class == SONDE_CLASS_HTTP1;
	__u32 kept = dir->partial_bytes & 7;
	__u64 word = sonde_load_aligned(first, 0) & sonde_byte_mask(total);
	__u64 next = sonde_load_aligned(first, 8) & (total > 8 ? sonde_byte_mask(total - 8) : 0);
	__u32 kind;

	if (kept) {
		next = next << kept * 8 | word >> (8 - kept) * 8;
		word = word << kept * 8 | dir->partial;
		total = sonde_min(total + kept, SONDE_SNIFF_BYTES);
	}
	kind = sonde_sniff_start(word, next, total, liberal);
	dir->partial_bytes = 0;
	/* Within an open head no start begins: byte by byte, the version of a request line would
	 * look like a response. */
	if (kind == SONDE_SNIFF_MAYBE && total < 8 && (kept || !dir->head_open)) {
		dir->partial = word;
		dir->partial_bytes = (__u8)total;
	}
	return kind;
}

static inline void sonde_capture_copy(struct sonde_capture_call *call, __u32 captured)
{
	call->captured = sonde_min(captured, call->length);
	call->tail = SONDE_BODY_TAIL;
	if (call->length - call->captured <= SONDE_BODY_TAIL) {
		/* A tail that touches the prefix is part of it. */
		call->captured = call->length;
		call->tail = 0;
	}
}

/* Several requests that are sent at once end as one does. Who sends so does it from the first, and
 * what a look costs is not worth it each time. */
static inline __u32 sonde_capture_looks(struct sonde_capture_direction *dir)
{
	__u32 heads = dir->heads++;

	return heads < SONDE_LOOK_FIRST || heads % SONDE_LOOK_EVERY == 0;
}

/* Offset just past the open head, 0 if its end is not here. Most heads end with their record: that
 * is looked at first. */
static inline __u32 sonde_capture_head_end(struct sonde_capture_direction *dir,
					   const struct sonde_capture_call *call,
					   const struct sonde_first_bytes *first)
{
	__u32 carry = dir->carry;
	__u32 end;

	if (call->have == call->length && call->have >= 8) {
		__u32 none = SONDE_CARRY_NONE;
		/* have <= SONDE_HEAD_SCAN; for the verifier */
		__u32 offset = sonde_min(call->have - 8, SONDE_HEAD_SCAN);

		if (sonde_head_end_step(sonde_load(first, offset), 8, &none) == 8 &&
		    none == SONDE_CARRY_LF && !sonde_capture_looks(dir))
			return call->have;
	}
	end = sonde_head_end(first, call->have, &carry);
	dir->carry = (__u8)carry;
	return end;
}

/* A head is open: find its end, or copy what may be head. */
static inline void sonde_capture_head(struct sonde_capture_state *state,
				      struct sonde_capture_direction *dir,
				      struct sonde_capture_call *call,
				      const struct sonde_first_bytes *first)
{
	__u32 end = sonde_capture_head_end(dir, call, first);
	__u32 copied;

	if (!end) {
		copied = sonde_min(call->length, dir->budget);
		dir->budget -= copied;
		dir->head_open = dir->budget != 0;
		sonde_capture_copy(call, copied);
		return;
	}
	dir->head_open = 0;
	sonde_chunk_begin(&dir->chunks, end);
	if (end + SONDE_SNIFF_BYTES <= call->have && end <= SONDE_HEAD_SCAN - SONDE_SNIFF_BYTES) {
		__u32 kind = sonde_sniff_start(sonde_load(first, end), sonde_load(first, end + 8),
					       SONDE_SNIFF_BYTES, 0);

		if (kind == SONDE_SNIFF_REQUEST || kind == SONDE_SNIFF_RESPONSE)
			state->flags |= SONDE_CAPTURE_PIPELINED;
	}
	sonde_capture_copy(call, end + SONDE_AFTER_HEAD);
}

/* Keeps the book of message starts. Two in one direction, none in the other between: they are sent
 * back to back. */
static inline void sonde_capture_started(struct sonde_capture_state *state,
					 struct sonde_capture_direction *dir, __u32 direction,
					 __u32 kind)
{
	if (kind == SONDE_SNIFF_MAYBE) {
		if (dir->head_open)
			return;
	} else if (kind != SONDE_SNIFF_INTERIM) {
		if (kind != SONDE_SNIFF_TOKEN && state->last_start == direction + 1)
			state->flags |= SONDE_CAPTURE_PIPELINED;
		state->last_start = (__u8)(direction + 1);
	}
	dir->head_open = 1;
	dir->chunks.state = SONDE_CHUNK_OFF;
	dir->carry = SONDE_CARRY_NONE;
	dir->budget = SONDE_HEAD_BUDGET;
	state->since_start = 0;
}

/* A 101 response (RFC 9110 section 15.2.2): what follows is some other protocol, perhaps HTTP/2,
 * and perhaps in this call already. */
static inline void sonde_capture_upgraded(struct sonde_capture_state *state,
					  struct sonde_capture_call *call)
{
	__u32 i;

	state->socket_class = SONDE_CLASS_UNKNOWN;
	state->flags |= SONDE_CAPTURE_UPGRADED;
	for (i = 0; i < 2; i++) {
		state->direction[i].budget = SONDE_UNKNOWN_BUDGET;
		state->direction[i].head_open = 0;
		state->direction[i].partial_bytes = 0;
		state->direction[i].chunks.state = SONDE_CHUNK_OFF;
		state->direction[i].frames.state = SONDE_FRAMES_SEARCH;
	}
	call->captured = sonde_min(call->length, SONDE_HEAD_BUDGET);
}

static inline void sonde_capture_http1(struct sonde_capture_state *state,
				       struct sonde_capture_call *call,
				       const struct sonde_first_bytes *first, __u32 kind)
{
	__u32 direction = call->direction & 1;
	struct sonde_capture_direction *dir = &state->direction[direction];

	state->since_start++;
	if (kind != SONDE_SNIFF_NONE && kind != SONDE_SNIFF_TLS && kind != SONDE_SNIFF_HTTP2 &&
	    (kind != SONDE_SNIFF_TOKEN || !dir->head_open))
		sonde_capture_started(state, dir, direction, kind);
	if (dir->head_open)
		sonde_capture_head(state, dir, call, first);
	else
		sonde_capture_copy(call, SONDE_BODY_PREFIX);
	if (call->length <= SONDE_SMALL_RECORD)
		sonde_capture_copy(call, SONDE_SMALL_RECORD);
	if (state->flags & SONDE_CAPTURE_PIPELINED)
		sonde_capture_copy(call, SONDE_HEAD_BUDGET);
}

/* Small calls and what cannot be followed are copied whole; of others, what the walk wants: see
 * sonde_capture_walks. */
static inline void sonde_capture_http2(struct sonde_capture_state *state,
				       struct sonde_capture_call *call,
				       const struct sonde_first_bytes *first, __u32 kind)
{
	struct sonde_frame_walk *walk = &state->direction[call->direction & 1].frames;

	if (walk->state == SONDE_FRAMES_SEARCH) {
		if (kind == SONDE_SNIFF_HTTP2)
			sonde_frame_begin(walk, SONDE_PREFACE_BYTES, SONDE_PREFACE_BYTES);
		else if (sonde_frames_begin(first, call->have, call->length))
			sonde_frame_begin(walk, 0, 0);
	}
	call->captured = sonde_min(call->length, SONDE_HEAD_BUDGET);
}

/* The call is to be sent in stretches from frame header to frame header. */
static inline __u32 sonde_capture_walks(const struct sonde_capture_state *state,
					const struct sonde_capture_call *call)
{
	return state->socket_class == SONDE_CLASS_HTTP2 && call->length > SONDE_SMALL_RECORD &&
	       state->direction[call->direction & 1].frames.state == SONDE_FRAMES_WALK;
}

/* `kept`: bytes of the record's header that came with an earlier call (OpenSSL reads it alone). */
static inline void sonde_capture_tls(struct sonde_capture_state *state,
				     struct sonde_capture_call *call, __u32 kept)
{
	state->socket_class = SONDE_CLASS_TLS;
	call->quiet = 1;
	if (kept <= SONDE_TLS_RECORD_HEADER)
		call->hello = 1 + SONDE_TLS_RECORD_HEADER - kept;
}

/* A client that goes through a proxy speaks HTTP with it first (RFC 9110 section 9.3.6). */
static inline void sonde_capture_tunnel(struct sonde_capture_state *state,
					const struct sonde_first_bytes *first)
{
	if (sonde_load_aligned(first, 0) == SONDE_CONNECT)
		state->flags |= SONDE_CAPTURE_TUNNEL;
	else
		state->flags &= ~SONDE_CAPTURE_TUNNEL;
}

static inline void sonde_capture_unknown(struct sonde_capture_state *state,
					 struct sonde_capture_call *call)
{
	struct sonde_capture_direction *dir = &state->direction[call->direction & 1];

	call->captured = sonde_min(call->length, dir->budget);
	dir->budget -= call->captured;
}

static inline void sonde_capture_other(struct sonde_capture_state *state,
				       struct sonde_capture_call *call)
{
	call->quiet = 1;
	state->since_start++; /* of calls, here */
}

/*
 * Decides about one call. `first` holds call->have valid bytes. Ask sonde_capture_asks before.
 */
static inline void sonde_capture_decide(struct sonde_capture_state *state,
					struct sonde_capture_call *call,
					const struct sonde_first_bytes *first)
{
	__u32 kept = state->direction[call->direction & 1].partial_bytes;
	__u32 kind;

	call->quiet = 0;
	call->captured = 0;
	call->tail = 0;
	call->hello = 0;
	if (state->socket_class >= SONDE_CLASS_TLS) {
		call->quiet = 1;
		return;
	}
	/* A start is not interrupted by the other side: what was kept was the end of a body. */
	if (state->last_direction != (call->direction & 1) + 1) {
		state->direction[call->direction & 1].partial_bytes = 0;
		kept = 0;
	}
	kind =
	    sonde_capture_sniff(state, &state->direction[call->direction & 1], first, call->have);
	if (state->socket_class != SONDE_CLASS_HTTP1 && kind >= SONDE_SNIFF_REQUEST &&
	    kind <= SONDE_SNIFF_INTERIM)
		state->socket_class = SONDE_CLASS_HTTP1;
	if ((state->socket_class == SONDE_CLASS_UNKNOWN ||
	     state->socket_class == SONDE_CLASS_OTHER) &&
	    (kind == SONDE_SNIFF_HTTP2 || sonde_frames_begin(first, call->have, call->length)))
		state->socket_class = SONDE_CLASS_HTTP2;
	if (kind == SONDE_SNIFF_REQUEST)
		sonde_capture_tunnel(state, first);
	if (kind == SONDE_SNIFF_TLS &&
	    (state->socket_class == SONDE_CLASS_UNKNOWN ||
	     state->socket_class == SONDE_CLASS_OTHER || state->flags & SONDE_CAPTURE_TUNNEL))
		sonde_capture_tls(state, call, kept);
	else if (kind == SONDE_SNIFF_INTERIM &&
		 (sonde_load_aligned(first, 8) & 0xffffff00) == SONDE_SWITCHING_PROTOCOLS)
		sonde_capture_upgraded(state, call);
	else if (state->socket_class == SONDE_CLASS_HTTP1)
		sonde_capture_http1(state, call, first, kind);
	else if (state->socket_class == SONDE_CLASS_HTTP2)
		sonde_capture_http2(state, call, first, kind);
	else if (state->socket_class == SONDE_CLASS_UNKNOWN)
		sonde_capture_unknown(state, call);
	else
		sonde_capture_other(state, call);
	state->last_direction = (__u8)((call->direction & 1) + 1);
}

/* A call whose bytes cannot be seen. Returns whether a record is worth making. */
static inline __u32 sonde_capture_unseen(struct sonde_capture_state *state, __u32 direction,
					 __u32 length)
{
	struct sonde_capture_direction *dir = &state->direction[direction & 1];

	if (state->socket_class >= SONDE_CLASS_OTHER)
		return 0;
	if (state->socket_class == SONDE_CLASS_UNKNOWN)
		dir->budget -= sonde_min(dir->budget, length);
	/* It may have held a message start. */
	state->last_start = 0;
	state->last_direction = (__u8)((direction & 1) + 1);
	dir->partial_bytes = 0;
	sonde_chunk_pass(&dir->chunks, length);
	sonde_frame_pass(&dir->frames, length);
	return 1;
}

/* NOLINTEND */

#endif
