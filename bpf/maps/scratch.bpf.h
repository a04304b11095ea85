/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Room to build one DATA record, too large for the stack. One per CPU: socket programs run with
 * preemption off (core/preemption.bpf.h) and do not interrupt each other.
 */
#ifndef SONDE_BPF_MAPS_SCRATCH_H
#define SONDE_BPF_MAPS_SCRATCH_H

#include <sonde/abi/record.h>
#include <sonde/wire/capture.h>

/* As struct iovec of 64-bit user space. */
struct sonde_segment {
	__u64 base;
	__u64 length;
};

struct sonde_scratch {
	struct sonde_data_record record;
	/* Twice a piece: see SONDE_PIECE_BYTES; 64 more for reads and padding past the end. */
	__u8 payload[2 * SONDE_PIECE_BYTES + 64];
	/* Where the call's bytes are: one buffer at `base` if segment_count is 0, else the
	 * segments. */
	struct sonde_segment segments[SONDE_MAX_SEGMENTS];
	__u64 base;
	__u64 sk; /* address of the socket, where it is wanted as a number */
	__u32 segment_count;
	__u32 more_segments; /* the call had more than are followed */
	/* Calls of more segments are looked at through a window; `segments` is what it shows. */
	__u64 iov;          /* user address of all segments */
	__u64 window_start; /* offset in the call of what segments[0] holds */
	__u64 cursor_start; /* the same of segments[cursor]: where the last look ended */
	__u32 iov_count;
	__u32 window; /* index of segments[0] among all */
	__u32 cursor;
	__u32 skip;    /* bytes of the segments before the first that is meant */
	__u32 traced;  /* flags of the process, SONDE_TRACED_* */
	__u32 stretch; /* HTTP/2: bytes in payload that were not sent yet */
	struct sonde_capture_call call;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_scratch);
} sonde_scratch SEC(".maps");

static __always_inline struct sonde_scratch *sonde_scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sonde_scratch, &zero);
}

#endif
