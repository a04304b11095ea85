/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which message of a sendmmsg/recvmmsg vector the socket hook is seeing. The hook has no index: it
 * is counted per socket and proven by what the kernel wrote to the vector (the length of the
 * message before) and by the lengths of the buffers. What cannot be proven is reported as unseen:
 * wrong bytes would be worse.
 */
#ifndef SONDE_BPF_MMSG_H
#define SONDE_BPF_MMSG_H

#include "socket/payload.bpf.h"
#include "socket/socket_state.bpf.h"

/* Messages of one call follow each other at once; after this the count may belong to a call that
 * was broken off. */
#define SONDE_MMSG_STALE_NS 10000000ULL

#define SONDE_MMSG_MAX_INDEX 1024 /* UIO_MAXIOV, the kernel's own limit */

/* A vector of several messages was seen on a stream socket: from then on failed calls are looked at
 * too. */
__u32 sonde_mmsg_used;

/* Can message `index` have moved `length` bytes? Leaves its segments in scratch. */
static __always_inline bool sonde_mmsg_fits(struct sonde_scratch *scratch, __u64 vector,
					    __u32 index, __u32 length, __u32 direction)
{
	__u64 total;

	if (!sonde_payload_msg(scratch, vector + index * sizeof(struct sonde_user_mmsghdr)))
		return false;
	if (scratch->iov_count > SONDE_MAX_SEGMENTS)
		return false; /* not worth the time in a vector of messages */
	total = sonde_payload_total(scratch);
	return direction == SONDE_SEND ? total == length : total >= length;
}

/* Was the message before `mmsg->index` finished by this call with the length that was seen? */
static __always_inline bool sonde_mmsg_follows(const struct sonde_mmsg *mmsg)
{
	__u64 entry = mmsg->vector + (mmsg->index - 1) * sizeof(struct sonde_user_mmsghdr);
	__u32 length;

	if (bpf_probe_read_user(&length, sizeof(length),
				(void *)(entry + offsetof(struct sonde_user_mmsghdr, length))))
		return false;
	return length == mmsg->length;
}

/* Finds the message; true: its segments are in scratch. `count`: messages in the vector. Global:
 * verified once. */
SONDE_GLOBAL int sonde_mmsg_find(struct sonde_scratch *scratch, struct sonde_socket *socket,
				 __u64 vector, __u32 count)
{
	struct sonde_mmsg *mmsg;
	__u32 length, direction, tid, index;
	__u64 now;
	bool fresh, found;

	if (!scratch || !socket || !count)
		return 0;
	length = scratch->record.length;
	direction = scratch->record.direction;
	tid = scratch->record.tid;
	now = scratch->record.header.mono_ns;
	if (count == 1)
		return sonde_payload_msg(scratch, vector);
	sonde_mmsg_used = 1;
	mmsg = &socket->mmsg;
	index = mmsg->index;
	if (mmsg->vector != vector || mmsg->tid != tid || index >= count ||
	    index >= SONDE_MMSG_MAX_INDEX)
		index = 0;
	fresh = now - mmsg->mono_ns < SONDE_MMSG_STALE_NS;
	if (index && !fresh && sonde_mmsg_fits(scratch, vector, 0, length, direction)) {
		mmsg->index = 0;
		return 0; /* a new call or a slow one: nobody can say */
	}
	if (index && !sonde_mmsg_follows(mmsg))
		index = 0;
	found = sonde_mmsg_fits(scratch, vector, index, length, direction);
	mmsg->vector = vector;
	mmsg->tid = tid;
	mmsg->length = length;
	mmsg->mono_ns = now;
	/* A message that did not fit, or the last one, ends the call. */
	mmsg->index = found && index + 1 < count ? index + 1 : 0;
	return found;
}

#endif
