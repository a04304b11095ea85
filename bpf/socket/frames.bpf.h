/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Calls of HTTP/2: sends frame headers and what is wanted of their frames, of DATA the length. */
#ifndef SONDE_BPF_FRAMES_H
#define SONDE_BPF_FRAMES_H

#include "core/sonde.bpf.h"
#include "maps/scratch.bpf.h"
#include "socket/payload.bpf.h"
#include "socket/pieces.bpf.h"
#include "socket/socket_state.bpf.h"

/* A stretch with less room than this is full: a header, and what is usual in a header block. */
#define SONDE_STRETCH_ROOM 512

/* The walk over the frames of the direction that the call is in. */
static __always_inline struct sonde_frame_walk *sonde_frames_of(const struct sonde_scratch *scratch,
								struct sonde_socket *socket)
{
	return &socket->capture.direction[scratch->call.direction & 1].frames;
}

/* Of the `count` bytes at `at` in payload; see sonde_frame_header. */
SONDE_OF_SOCKET_BASE(__u32, sonde_frame_header_at, at, count)
{
	if (!scratch || !socket || at > SONDE_PIECE_BYTES)
		return 0;
	return sonde_frame_header(sonde_frames_of(scratch, socket),
				  (struct sonde_frame_bytes *)(scratch->payload + at), count);
}

/* Sends the bytes in payload as the beginning of the next `length` bytes of the call. */
static __always_inline int sonde_emit_stretch_of_frames(struct sonde_scratch *scratch, __u32 length)
{
	__u32 bytes = scratch->stretch;

	if (!length)
		return 0;
	scratch->record.position += scratch->record.length;
	scratch->record.length = length;
	scratch->stretch = 0;
	return sonde_emit_piece(scratch, bytes, 0);
}

/*
 * HTTP/2: one frame, from its header (or what is left of it) up to the next header. What is wanted
 * of it is added to the stretch in payload, which is sent when bytes that are not wanted follow it,
 * when it is full, or at the end of the call. Returns the offset behind it. Global: verified once,
 * not per frame.
 */
SONDE_OF_SOCKET(__u32, sonde_emit_frame, offset)
{
	struct sonde_frame_walk *walk;
	__u32 left, at, used = 0, take = 0, skip = 0;

	if (!scratch || !socket)
		return ~0U;
	walk = sonde_frames_of(scratch, socket);
	left = scratch->call.length - offset;
	at = scratch->stretch;
	barrier_var(at);
	if (at > SONDE_PIECE_BYTES - SONDE_FRAME_HEADER) /* never: sent before; for the verifier */
		return ~0U;
	if (!walk->until) {
		__u32 want = sonde_min(left, SONDE_FRAME_HEADER);

		if (sonde_gather(scratch, offset, want, at) != (int)want)
			goto lost;
		used = sonde_frame_header_at(scratch, socket, at, want);
	}
	at += used;
	take = sonde_min(sonde_min(walk->copy, left - used), SONDE_PIECE_BYTES - at);
	if (take && sonde_gather(scratch, offset + used, take, at) != (int)take)
		goto lost;
	at += take;
	sonde_frame_skip(walk, take);
	if (!walk->copy) {
		skip = left - used - take;
		if (walk->until < skip)
			skip = walk->until;
		sonde_frame_skip(walk, skip);
	}
	offset += used + take + skip;
	scratch->stretch = at;
	if (!skip && offset < scratch->call.length && walk->state == SONDE_FRAMES_WALK &&
	    at <= SONDE_PIECE_BYTES - SONDE_STRETCH_ROOM)
		return offset;
	sonde_emit_stretch_of_frames(scratch, at + skip);
	return offset;
lost:
	walk->state = SONDE_FRAMES_SEARCH;
	sonde_drop(scratch->more_segments ? SONDE_DROP_SEGMENTS : SONDE_DROP_PAYLOAD_FAULT);
	sonde_emit_stretch_of_frames(scratch, scratch->stretch + left);
	return scratch->call.length;
}

/* A large call of HTTP/2. More frames than are followed: the rest is copied as far as pieces go. */
static __always_inline int sonde_emit_frames(struct sonde_scratch *scratch,
					     struct sonde_socket *socket)
{
	struct sonde_frame_walk *walk = sonde_frames_of(scratch, socket);
	__u32 offset = 0;
	__u32 i;

	scratch->record.length = 0;
	scratch->stretch = 0;
	for (i = 0; i < SONDE_MAX_FRAMES && offset < scratch->call.length; i++) {
		if (walk->state != SONDE_FRAMES_WALK)
			break;
		offset = sonde_emit_frame(scratch, socket, offset);
	}
	if (offset >= scratch->call.length)
		return 0;
	walk->state = SONDE_FRAMES_SEARCH;
	sonde_emit_stretch_of_frames(scratch, scratch->stretch);
	return sonde_emit_pieces(scratch, offset, scratch->call.length);
}

/* A small call of HTTP/2, which is in payload whole: the walk goes over it. */
SONDE_OF_SOCKET(int, sonde_walk_frames)
{
	struct sonde_frame_walk *walk;
	__u32 offset = 0;
	__u32 i;

	if (!scratch || !socket)
		return 0;
	walk = sonde_frames_of(scratch, socket);
	for (i = 0; i < SONDE_MAX_SMALL_FRAMES && walk->state == SONDE_FRAMES_WALK; i++) {
		__u32 at = offset;
		__u32 left = scratch->call.length - offset;

		if (offset >= scratch->call.length)
			return 0;
		if (walk->until) {
			if (walk->until < left)
				left = walk->until;
			sonde_frame_skip(walk, left);
			offset += left;
			continue;
		}
		barrier_var(at);
		if (at > SONDE_SMALL_RECORD) /* never; for the verifier */
			break;
		offset += sonde_frame_header_at(scratch, socket, at, left);
	}
	if (offset < scratch->call.length)
		walk->state = SONDE_FRAMES_SEARCH;
	return 0;
}

SONDE_OF_SOCKET(int, sonde_emit_http2)
{
	if (!scratch || !socket)
		return 0;
	if (sonde_capture_walks(&socket->capture, &scratch->call))
		return sonde_emit_frames(scratch, socket);
	if (scratch->call.length > SONDE_SMALL_RECORD) {
		scratch->record.length = 0;
		return sonde_emit_pieces(scratch, 0, scratch->call.captured);
	}
	if (scratch->call.have != scratch->call.length)
		sonde_frames_of(scratch, socket)->state = SONDE_FRAMES_SEARCH;
	else
		sonde_walk_frames(scratch, socket);
	/* The walk only looked: the bytes are still in payload. */
	if (scratch->call.have > SONDE_SMALL_RECORD) /* never; for the verifier */
		return 0;
	return sonde_emit_piece(scratch, scratch->call.have, 0);
}

#endif
