/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the bytes of a system call are in user memory, and reading a stretch of them. The data is
 * read when the call has moved it: the pages were touched a moment ago, so a fault is rare, and is
 * counted.
 */
#ifndef SONDE_BPF_PAYLOAD_H
#define SONDE_BPF_PAYLOAD_H

#include "core/sonde.bpf.h"
#include "maps/scratch.bpf.h"
#include "socket/global.bpf.h"

/* struct msghdr and struct mmsghdr of 64-bit user space (not the kernel's): stable interface. */
struct sonde_user_msghdr {
	__u64 name;
	__u64 name_length;
	__u64 iov;
	__u64 iov_count;
	__u64 control;
	__u64 control_length;
	__u64 flags;
};

struct sonde_user_mmsghdr {
	struct sonde_user_msghdr header;
	__u32 length; /* written by the kernel after each message */
	__u32 reserved;
};

enum sonde_payload_kind {
	SONDE_PAYLOAD_NONE = 0,   /* cannot be seen: io_uring, splice */
	SONDE_PAYLOAD_FILE = 1,   /* sendfile: a body by nature, not counted as a loss */
	SONDE_PAYLOAD_BUFFER = 2, /* arg2 */
	SONDE_PAYLOAD_IOV = 3,    /* arg2, arg3 */
	SONDE_PAYLOAD_MSG = 4,    /* struct msghdr at arg2 */
	SONDE_PAYLOAD_MMSG = 5,   /* struct mmsghdr[arg3] at arg2 */
};

/* What call `nr` does, if it moves bytes in `direction`. */
static __always_inline enum sonde_payload_kind sonde_payload_kind(__u64 nr, __u32 direction)
{
	if (direction == SONDE_SEND) {
		switch (nr) {
		case SONDE_NR_WRITE:
		case SONDE_NR_SENDTO:
			return SONDE_PAYLOAD_BUFFER;
		case SONDE_NR_WRITEV:
			return SONDE_PAYLOAD_IOV;
		case SONDE_NR_SENDMSG:
			return SONDE_PAYLOAD_MSG;
		case SONDE_NR_SENDMMSG:
			return SONDE_PAYLOAD_MMSG;
		case SONDE_NR_SENDFILE:
			return SONDE_PAYLOAD_FILE;
		}
		return SONDE_PAYLOAD_NONE;
	}
	switch (nr) {
	case SONDE_NR_READ:
	case SONDE_NR_RECVFROM:
		return SONDE_PAYLOAD_BUFFER;
	case SONDE_NR_READV:
		return SONDE_PAYLOAD_IOV;
	case SONDE_NR_RECVMSG:
		return SONDE_PAYLOAD_MSG;
	case SONDE_NR_RECVMMSG:
		return SONDE_PAYLOAD_MMSG;
	}
	return SONDE_PAYLOAD_NONE;
}

/* Moves the window to segment `index` of the call, whose first byte is `start`. False: user memory
 * was unreadable. */
static __always_inline bool sonde_window(struct sonde_scratch *scratch, __u32 index, __u64 start)
{
	__u64 count = scratch->iov_count - index;

	if (count > SONDE_MAX_SEGMENTS)
		count = SONDE_MAX_SEGMENTS;
	scratch->window = index;
	scratch->window_start = start;
	scratch->cursor = 0;
	scratch->cursor_start = start;
	scratch->segment_count = count;
	return !bpf_probe_read_user(scratch->segments, count * sizeof(struct sonde_segment),
				    (void *)(scratch->iov + index * sizeof(struct sonde_segment)));
}

/* Remembers an iovec array. False: user memory was unreadable. */
static __always_inline bool sonde_payload_iov(struct sonde_scratch *scratch, __u64 iov, __u64 count)
{
	const __u32 followed = SONDE_MAX_WINDOWS * SONDE_MAX_SEGMENTS;

	scratch->more_segments = count > followed; /* the kernel refuses such calls */
	scratch->iov = iov;
	scratch->iov_count = count > followed ? followed : count;
	return sonde_window(scratch, 0, 0);
}

static __always_inline bool sonde_payload_msg(struct sonde_scratch *scratch, __u64 message)
{
	__u64 iov[2]; /* pointer, count: neighbours in struct msghdr */

	if (bpf_probe_read_user(iov, sizeof(iov),
				(void *)(message + offsetof(struct sonde_user_msghdr, iov))))
		return false;
	return sonde_payload_iov(scratch, iov[0], iov[1]);
}

/* Length of the segments in the window. */
static __always_inline __u64 sonde_payload_total(const struct sonde_scratch *scratch)
{
	__u64 total = 0;
	__u32 i;

	for (i = 0; i < SONDE_MAX_SEGMENTS; i++) {
		if (i >= scratch->segment_count)
			break;
		total += scratch->segments[i].length;
	}
	return total;
}

/*
 * Copies what the window has of [from, from + count), beginning at the cursor, to payload + to.
 * Returns how many bytes, negative if memory could not be read. Global: verified once.
 */
SONDE_OF_SCRATCH(int, sonde_gather_window, from, count, to)
{
	__u32 done = 0;
	__u64 start;
	__u32 i, index;

	barrier_var(count);
	barrier_var(to);
	if (!scratch || count > SONDE_PIECE_BYTES || to > SONDE_PIECE_BYTES + SONDE_BODY_TAIL)
		return -1;
	start = scratch->cursor_start;
	index = scratch->cursor;
	for (i = 0; i < SONDE_MAX_SEGMENTS; i++) {
		__u64 length, skip;
		__u64 at = to + done;
		__u32 size; /* the helper's type: Linux 5.15 forgets the bounds of a wider one */

		barrier_var(index);
		if (index >= SONDE_MAX_SEGMENTS || index >= scratch->segment_count)
			break;
		length = scratch->segments[index].length;
		if ((__u64)from + done < start + length) {
			skip = from + done - start;
			size = count - done;
			if (size > length - skip)
				size = length - skip;
			/* never: size <= count; at < to + count, and callers keep that to a piece
			 * and a tail */
			barrier_var(size);
			barrier_var(at);
			if (size > SONDE_PIECE_BYTES || at > SONDE_PIECE_BYTES + SONDE_BODY_TAIL)
				break;
			if (bpf_probe_read_user(scratch->payload + at, size,
						(void *)(scratch->segments[index].base + skip)))
				return -1;
			done += size;
			if (done >= count)
				break;
		}
		start += length;
		index++;
	}
	scratch->cursor_start = start;
	scratch->cursor = index;
	return done;
}

/*
 * Copies bytes [from, from + count) of the call to payload + to. Returns how many were copied
 * (fewer if they lie in segments that are not followed), negative if memory could not be read.
 * Global: verified once, whatever calls it.
 */
SONDE_OF_SCRATCH(int, sonde_gather, from, count, to)
{
	__u32 done = 0;
	__u32 i;

	/* Both at most one piece, so the sum is within the payload's two. */
	barrier_var(count);
	barrier_var(to);
	if (!scratch || count > SONDE_PIECE_BYTES || to > SONDE_PIECE_BYTES)
		return -1;
	if (!scratch->segment_count) {
		__u64 at = to;

		/* Known already; said again of the register that is used: verifiers before 6.3
		 * forget what they learnt of a copy. */
		barrier_var(at);
		if (at > SONDE_PIECE_BYTES)
			return -1;
		if (bpf_probe_read_user(scratch->payload + at, count,
					(void *)(scratch->base + from)))
			return -1;
		return count;
	}
	from += scratch->skip;
	if (from < scratch->window_start && !sonde_window(scratch, 0, 0))
		return -1;
	if (from < scratch->cursor_start) {
		scratch->cursor = 0;
		scratch->cursor_start = scratch->window_start;
	}
	for (i = 0; i < SONDE_MAX_WINDOWS && done < count; i++) {
		int got = sonde_gather_window(scratch, from + done, count - done, to + done);
		__u32 next = scratch->window + scratch->segment_count;

		if (got < 0)
			return -1;
		done += got;
		if (done >= count || next >= scratch->iov_count)
			break;
		if (!sonde_window(scratch, next, scratch->cursor_start))
			return -1;
	}
	return done;
}

#endif
