/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sends the scratch record: one piece of payload at a time, or as many as a large capture takes. */
#ifndef SONDE_BPF_PIECES_H
#define SONDE_BPF_PIECES_H

#include "core/sonde.bpf.h"
#include "maps/ring.bpf.h"
#include "maps/scratch.bpf.h"
#include "socket/payload.bpf.h"

/* Sends the scratch record with captured + tail bytes of payload. */
static __always_inline int sonde_emit_piece(struct sonde_scratch *scratch, __u32 captured,
					    __u32 tail)
{
	__u64 bytes = captured + tail;

	/* True by the callers; said again for the verifier: the padding below stays inside payload.
	 * 64 bits wide, because copies of such a register keep what is learnt of it. */
	barrier_var(bytes);
	if (bytes > SONDE_PIECE_BYTES + SONDE_BODY_TAIL)
		return 0;
	*(__u64 *)(scratch->payload + (bytes & ~7ULL)) &= sonde_byte_mask(bytes & 7);
	scratch->record.captured = captured;
	scratch->record.tail = tail;
	bytes = sizeof(scratch->record) + ((bytes + 7) & ~7ULL);
	barrier_var(bytes); /* and of the sum, for Linux 5.15 */
	if (bytes > sizeof(scratch->record) + SONDE_PIECE_BYTES + SONDE_BODY_TAIL + 8)
		return 0;
	scratch->record.header.size = bytes;
	if (bpf_ringbuf_output(&sonde_ring, &scratch->record, bytes, BPF_RB_NO_WAKEUP))
		return sonde_drop(SONDE_DROP_RING_FULL);
	return 0;
}

/*
 * One piece of what is copied of a call: [offset, end). `last`: no further one follows. The record
 * of the last piece tells of the rest of the call, too. Returns the offset behind what the record
 * tells of. Global: verified once, not per piece.
 */
SONDE_OF_SCRATCH(__u32, sonde_emit_stretch, offset, end, last)
{
	__u32 want;
	int have;

	if (!scratch)
		return ~0U;
	want = sonde_min(end - offset, SONDE_PIECE_BYTES);
	have = sonde_gather(scratch, offset, want, 0);
	if (have < 0) {
		sonde_drop(SONDE_DROP_PAYLOAD_FAULT);
		have = 0;
	}
	if (have > SONDE_PIECE_BYTES) /* never; for the verifier */
		return ~0U;
	if (have < (int)want) {
		last = 1;
		if (scratch->more_segments)
			sonde_drop(SONDE_DROP_SEGMENTS);
	}
	if (offset + want >= end)
		last = 1;
	scratch->record.position += scratch->record.length;
	scratch->record.length = last ? scratch->call.length - offset : want;
	sonde_emit_piece(scratch, have, 0);
	return offset + scratch->record.length;
}

/* A large capture: as many records as needed, each beginning where the one before ended;
 * record.position + record.length is where the first begins. */
static __always_inline int sonde_emit_pieces(struct sonde_scratch *scratch, __u32 offset, __u32 end)
{
	__u32 i;

	for (i = 0; i < SONDE_MAX_PIECES && offset < scratch->call.length; i++)
		offset = sonde_emit_stretch(scratch, offset, end, i == SONDE_MAX_PIECES - 1);
	return 0;
}

#endif
