/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a call to records: asks the capture policy, copies what it wants, sends. Common to the hook
 * families; they fill the scratch record (who, where, position, length) and the place of the bytes
 * first.
 */
#ifndef SONDE_BPF_EMIT_H
#define SONDE_BPF_EMIT_H

#include "core/sonde.bpf.h"
#include "maps/ring.bpf.h"
#include "maps/scratch.bpf.h"
#include "maps/traced.bpf.h"
#include "maps/verdicts.bpf.h"
#include "runtime/execution.bpf.h"
#include "socket/frames.bpf.h"
#include "socket/open.bpf.h"
#include "socket/payload.bpf.h"
#include "socket/pieces.bpf.h"
#include "socket/socket_state.bpf.h"
#include "tls/beside.bpf.h"
#include "tls/hello.bpf.h"

/* What the bytes are worth: fills scratch->call. Reads the first bytes into payload. Global:
 * verified once. */
SONDE_OF_SOCKET(int, sonde_decide)
{
	struct sonde_capture_call *call;
	__u32 want;
	int have;

	if (!scratch || !socket)
		return 0;
	call = &scratch->call;
	if (sonde_capture_asks(&socket->capture, call->direction))
		sonde_capture_answer(&socket->capture, sonde_take_verdict(socket->connection));
	want = sonde_capture_peek(&socket->capture, call->direction, call->length);
	have = 0;
	if (want)
		have = sonde_gather(scratch, 0, want, 0);
	if (have < 0) {
		sonde_drop(SONDE_DROP_PAYLOAD_FAULT);
		have = 0;
	}
	if (have > SONDE_HEAD_SCAN) /* never: want is not larger; for the verifier */
		have = SONDE_HEAD_SCAN;
	call->have = have;
	sonde_capture_decide(&socket->capture, call, (struct sonde_first_bytes *)scratch->payload);
	return 0;
}

/* The walk over the bodies of the direction that the call is in. */
static __always_inline struct sonde_chunk_walk *sonde_chunks_of(const struct sonde_scratch *scratch,
								struct sonde_socket *socket)
{
	return &socket->capture.direction[scratch->call.direction & 1].chunks;
}

/* Of the `count` bytes at `at` in payload; see sonde_chunk_line. */
SONDE_OF_SOCKET_BASE(__u32, sonde_chunk_line_at, at, count)
{
	if (!scratch || !socket || at > SONDE_PIECE_BYTES)
		return 0;
	return sonde_chunk_line(sonde_chunks_of(scratch, socket),
				(struct sonde_chunk_bytes *)(scratch->payload + at), count);
}

/*
 * One stretch of a chunked body, from a size line (or what is left of one) up to the next. Returns
 * the offset of that in the call; past its end if the line is in a later one. Global: verified
 * once, not per chunk.
 */
SONDE_OF_SOCKET(__u32, sonde_emit_chunk, offset)
{
	struct sonde_chunk_walk *walk;
	struct sonde_data_record *record;
	__u32 length, want, used, next, tail = 0;

	if (!scratch || !socket)
		return ~0U;
	walk = sonde_chunks_of(scratch, socket);
	record = &scratch->record;
	length = scratch->call.length;
	want = sonde_min(length - offset, SONDE_CHUNK_LINE);
	record->position += record->length;
	record->length = length - offset;
	if (sonde_gather(scratch, offset, want, 0) != (int)want) {
		walk->state = SONDE_CHUNK_OFF;
		sonde_drop(scratch->more_segments ? SONDE_DROP_SEGMENTS : SONDE_DROP_PAYLOAD_FAULT);
		sonde_emit_piece(scratch, 0, 0);
		return length;
	}
	used = sonde_chunk_line_at(scratch, socket, 0, want);
	next = offset + used + sonde_min(walk->until, 1U << 31);
	if (walk->state && next < length)
		record->length = next - offset;
	else
		tail = SONDE_BODY_TAIL;
	if (want > record->length)
		want = record->length;
	if (tail > record->length - want)
		tail = record->length - want;
	if (tail && sonde_gather(scratch, length - tail, tail, want) != (int)tail)
		tail = 0;
	sonde_emit_piece(scratch, want, tail);
	return walk->state ? next : length;
}

/* Where in the call the first size line is that the `captured` bytes do not hold whole; its length
 * if it is not in it. */
static __always_inline __u32 sonde_chunks_captured(struct sonde_scratch *scratch,
						   struct sonde_socket *socket, __u32 captured)
{
	struct sonde_chunk_walk *walk = sonde_chunks_of(scratch, socket);
	__u32 length = scratch->call.length;
	__u64 offset = walk->until;
	__u32 i;

	for (i = 0; i < SONDE_MAX_CHUNKS && walk->state && offset < captured; i++) {
		__u32 at = offset;

		barrier_var(at);
		if (at > SONDE_PIECE_BYTES) /* never: captured is not more; for the verifier */
			break;
		at += sonde_chunk_line_at(scratch, socket, at, captured - at);
		offset = at + walk->until;
	}
	if (!walk->state || (i == SONDE_MAX_CHUNKS && offset < captured)) {
		walk->state = SONDE_CHUNK_OFF;
		return length;
	}
	if (offset < length)
		return offset;
	walk->until = offset - length;
	return length;
}

/* The rest of a call from the size line at `offset`: one record per chunk. */
static __always_inline int sonde_emit_chunks(struct sonde_scratch *scratch,
					     struct sonde_socket *socket, __u32 offset)
{
	struct sonde_chunk_walk *walk = sonde_chunks_of(scratch, socket);
	__u32 length = scratch->call.length;
	__u32 i;

	for (i = 0; i < SONDE_MAX_CHUNKS && offset < length; i++)
		offset = sonde_emit_chunk(scratch, socket, offset);
	if (offset >= length) {
		walk->until = offset - length;
		return 0;
	}
	walk->state = SONDE_CHUNK_OFF;
	scratch->record.position += scratch->record.length;
	scratch->record.length = length - offset;
	return sonde_emit_piece(scratch, 0, 0);
}

/* The usual record: everything that is wanted fits in one piece. */
static __always_inline int sonde_emit_one(struct sonde_scratch *scratch,
					  struct sonde_socket *socket, __u32 captured, __u32 tail)
{
	struct sonde_chunk_walk *walk = sonde_chunks_of(scratch, socket);
	int have = scratch->call.have;
	__u32 line;

	if (captured > scratch->call.have) {
		have = sonde_gather(scratch, 0, captured, 0);
		if (have < 0) {
			sonde_drop(SONDE_DROP_PAYLOAD_FAULT);
			have = 0;
		}
	}
	if (captured > (__u32)have) {
		if (scratch->more_segments)
			sonde_drop(SONDE_DROP_SEGMENTS);
		captured = have;
	}
	if (captured > SONDE_PIECE_BYTES) /* never; for the verifier */
		return 0;
	if (walk->state) {
		line = sonde_chunks_captured(scratch, socket, captured);
		if (line < scratch->call.length) {
			scratch->record.length = line;
			sonde_emit_piece(scratch, captured, 0);
			return sonde_emit_chunks(scratch, socket, line);
		}
	}
	if (tail && sonde_gather(scratch, scratch->call.length - tail, tail, captured) != (int)tail)
		tail = 0; /* beyond the segments that are followed */
	return sonde_emit_piece(scratch, captured, tail);
}

SONDE_OF_SOCKET(int, sonde_emit)
{
	if (!scratch || !socket)
		return 0;
	if (scratch->call.captured <= SONDE_PIECE_BYTES)
		return sonde_emit_one(scratch, socket, scratch->call.captured, scratch->call.tail);
	sonde_chunk_pass(sonde_chunks_of(scratch, socket), scratch->call.length);
	scratch->record.length = 0;
	return sonde_emit_pieces(scratch, 0, scratch->call.captured);
}

/* The goroutine, Python context ... behind the record. */
static __always_inline void sonde_who(struct sonde_scratch *scratch, struct sonde_socket *socket)
{
	if (scratch->traced & SONDE_TRACED_RUNTIME)
		sonde_execution(scratch, socket);
}

/* A call of which no record is made. */
static __always_inline int sonde_quiet(__u32 direction, __u32 traced)
{
	if (traced & SONDE_TRACED_RUNTIME)
		sonde_execution_quiet(direction);
	return sonde_count(SONDE_COUNT_QUIET);
}

/* The bytes exist but were not seen. `counted`: it is a loss, and not the body of a file. */
static __always_inline int sonde_emit_unseen(struct sonde_scratch *scratch,
					     struct sonde_socket *socket, struct sock *sk,
					     bool counted)
{
	if (!sonde_capture_unseen(&socket->capture, scratch->record.direction,
				  scratch->record.length))
		return sonde_quiet(scratch->record.direction, scratch->traced);
	if (counted)
		sonde_drop(SONDE_DROP_PAYLOAD_UNSEEN);
	if (!socket->opened)
		sonde_open(socket, sk, &scratch->record);
	sonde_who(scratch, socket);
	scratch->record.flags = SONDE_DATA_UNSEEN;
	return sonde_emit_piece(scratch, 0, 0);
}

/* The bytes are where scratch->base or scratch->segments say. */
static __always_inline int sonde_emit_seen(struct sonde_scratch *scratch,
					   struct sonde_socket *socket, struct sock *sk)
{
	scratch->call.direction = scratch->record.direction;
	scratch->call.length = scratch->record.length;
	sonde_decide(scratch, socket);
	if (scratch->call.hello) {
		scratch->sk = (__u64)sk;
		sonde_hello(scratch, socket);
	}
	if (scratch->call.quiet)
		return sonde_quiet(scratch->record.direction, scratch->traced);
	if (!socket->opened)
		sonde_open(socket, sk, &scratch->record);
	sonde_who(scratch, socket);
	/* Not within sonde_emit: calls may be eight deep, programs and all. */
	if (socket->capture.socket_class == SONDE_CLASS_HTTP2)
		return sonde_emit_http2(scratch, socket);
	return sonde_emit(scratch, socket);
}

/* No more bytes will come in `direction`. Only for connections that userspace knows. */
static __always_inline int sonde_emit_shutdown(const struct sonde_socket *socket, __u32 direction,
					       __u64 position, bool has_position)
{
	struct sonde_shutdown_record *record;

	record = bpf_ringbuf_reserve(&sonde_ring, sizeof(*record), 0);
	if (!record)
		return sonde_drop(SONDE_DROP_RING_FULL);
	__builtin_memset(record, 0, sizeof(*record));
	record->header.type = SONDE_RECORD_SHUTDOWN;
	record->header.size = sizeof(*record);
	record->header.mono_ns = bpf_ktime_get_ns();
	record->connection = socket->connection;
	record->position = position;
	record->direction = direction;
	record->has_position = has_position;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Fills everything of the scratch record that does not depend on the payload. */
static __always_inline void sonde_record_begin(struct sonde_scratch *scratch,
					       struct sonde_socket *socket, __u32 direction,
					       __u32 length, __u64 position, __u32 traced)
{
	struct sonde_data_record *record = &scratch->record;
	__u64 task = bpf_get_current_pid_tgid();

	record->header.type = SONDE_RECORD_DATA;
	record->header.reserved = 0;
	record->header.mono_ns = bpf_ktime_get_ns();
	record->connection = socket->connection;
	record->position = position;
	record->execution_id = 0;
	record->tgid = task >> 32;
	record->tid = (__u32)task;
	record->length = length;
	record->direction = direction;
	record->source = SONDE_SOURCE_SOCKET;
	record->flags = 0;
	record->runtime = SONDE_RUNTIME_NONE;
	__builtin_memset(record->reserved, 0, sizeof(record->reserved));
	scratch->traced = traced;
	scratch->segment_count = 0;
	scratch->more_segments = 0;
	scratch->skip = 0;
}

/* Beside which TLS objects may find their sockets. `sk` is wanted as a number. */
static __always_inline void sonde_beside_moved(struct sonde_socket *socket, struct sock *sk,
					       __u32 direction, __u32 length)
{
	struct sonde_scratch *scratch = sonde_scratch_get();

	if (!scratch || socket->capture.socket_class == SONDE_CLASS_REFUSED)
		return;
	scratch->sk = (__u64)sk;
	sonde_beside_socket(scratch, socket->inode, direction, length);
}

#endif
