/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Calls of HTTP/2: sends frame headers and what is wanted of their frames, of DATA the length. */
#ifndef SONDE_BPF_FRAMES_H
#define SONDE_BPF_FRAMES_H

#include "core/sonde.bpf.h"
#include "maps/scratch.bpf.h"
#include "socket/payload.bpf.h"
#include "socket/pieces.bpf.h"
#include "socket/socket_state.bpf.h"

/*
 * HTTP/2: one stretch, from a frame header (or what is left of a frame) up to the next header. Of
 * it, what is wanted is copied; a block that is larger than a piece takes several. Returns the
 * offset behind it. Global: verified once, not per frame.
 */
__noinline __u32 sonde_emit_frame(struct sonde_scratch *scratch, struct sonde_frame_walk *walk,
				  __u32 offset)
{
	struct sonde_data_record *record;
	__u32 left, used = 0, take, skip = 0;

	if (!scratch || !walk)
		return ~0U;
	record = &scratch->record;
	left = scratch->call.length - offset;
	record->position += record->length;
	if (!walk->until) {
		__u32 want = sonde_min(left, SONDE_FRAME_HEADER);

		record->length = left;
		if (sonde_gather(scratch, offset, want, 0) != (int)want)
			goto lost;
		used = sonde_frame_header(walk, (struct sonde_frame_bytes *)scratch->payload, want);
	}
	take = sonde_min(walk->copy, SONDE_PIECE_BYTES - SONDE_FRAME_HEADER);
	take = sonde_min(take, left - used);
	sonde_frame_skip(walk, take);
	if (!walk->copy) {
		skip = left - used - take;
		if (walk->until < skip)
			skip = walk->until;
		sonde_frame_skip(walk, skip);
	}
	record->length = used + take + skip;
	take += used;
	if (take > SONDE_PIECE_BYTES) /* never; for the verifier */
		return ~0U;
	if (sonde_gather(scratch, offset, take, 0) != (int)take)
		goto lost;
	sonde_emit_piece(scratch, take, 0);
	return offset + record->length;
lost:
	walk->state = SONDE_FRAMES_SEARCH;
	sonde_drop(scratch->more_segments ? SONDE_DROP_SEGMENTS : SONDE_DROP_PAYLOAD_FAULT);
	record->length = left;
	sonde_emit_piece(scratch, 0, 0);
	return scratch->call.length;
}

/* A large call of HTTP/2. More frames than are followed: the rest is copied as far as pieces go. */
static __always_inline int sonde_emit_frames(struct sonde_scratch *scratch,
					     struct sonde_frame_walk *walk)
{
	__u32 offset = 0;
	__u32 i;

	scratch->record.length = 0;
	for (i = 0; i < SONDE_MAX_FRAMES && offset < scratch->call.length; i++) {
		if (walk->state != SONDE_FRAMES_WALK)
			break;
		offset = sonde_emit_frame(scratch, walk, offset);
	}
	if (offset >= scratch->call.length)
		return 0;
	walk->state = SONDE_FRAMES_SEARCH;
	return sonde_emit_pieces(scratch, offset, scratch->call.length);
}

/* A small call of HTTP/2, which is in payload whole: the walk goes over it. */
__noinline int sonde_walk_frames(struct sonde_scratch *scratch, struct sonde_frame_walk *walk)
{
	__u32 offset = 0;
	__u32 i;

	if (!scratch || !walk)
		return 0;
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
		offset += sonde_frame_header(
		    walk, (struct sonde_frame_bytes *)(scratch->payload + at), left);
	}
	if (offset < scratch->call.length)
		walk->state = SONDE_FRAMES_SEARCH;
	return 0;
}

__noinline int sonde_emit_http2(struct sonde_scratch *scratch, struct sonde_socket *socket)
{
	struct sonde_frame_walk *walk;

	if (!scratch || !socket)
		return 0;
	walk = &socket->capture.direction[scratch->call.direction & 1].frames;
	if (sonde_capture_walks(&socket->capture, &scratch->call))
		return sonde_emit_frames(scratch, walk);
	if (scratch->call.length > SONDE_SMALL_RECORD) {
		scratch->record.length = 0;
		return sonde_emit_pieces(scratch, 0, scratch->call.captured);
	}
	if (scratch->call.have != scratch->call.length)
		walk->state = SONDE_FRAMES_SEARCH;
	else
		sonde_walk_frames(scratch, walk);
	/* The walk only looked: the bytes are still in payload. */
	if (scratch->call.have > SONDE_SMALL_RECORD) /* never; for the verifier */
		return 0;
	return sonde_emit_piece(scratch, scratch->call.have, 0);
}

#endif
