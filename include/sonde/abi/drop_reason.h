/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why the kernel side gave something up. One counter per reason and CPU; userspace exports each as
 * sonde_events_dropped_total{reason}. A number is never used again for another meaning.
 */
#ifndef SONDE_ABI_DROP_REASON_H
#define SONDE_ABI_DROP_REASON_H

enum sonde_drop_reason {
	SONDE_DROP_RING_FULL = 0, /* no room in the ring buffer: the record is lost */
	SONDE_DROP_PAYLOAD_FAULT =
	    1, /* user memory could not be read: record sent without those bytes */
	SONDE_DROP_PAYLOAD_UNSEEN =
	    2, /* io_uring, splice, ambiguous sendmmsg: record sent without bytes */
	SONDE_DROP_SEGMENTS =
	    3, /* more iovec segments than are followed: later bytes not captured */
	SONDE_DROP_SOCKET_STATE_FULL =
	    4, /* no memory for per-socket state: I/O of that socket is not seen */
	SONDE_DROP_PROCESS_MAP_FULL = 5, /* a child could not be marked as traced */
	SONDE_DROP_FD_LOOKUP = 6, /* sys_exit family: the file descriptor was gone or unreadable */
	SONDE_DROP_BUSY = 7, /* TLS: more calls at once on one processor than there is room for */
	SONDE_DROP_TEXT_STATE_FULL =
	    8, /* TLS: no room for the state of a connection's plain text */
	SONDE_DROP_TEXT_UNREADABLE = 9, /* TLS: the object or the length made no sense */
	/* Go: the socket of a stream that is served was not found: its calls stay without a parent
	 */
	SONDE_DROP_STREAM_SOCKET = 10,
	SONDE_DROP_REASON_COUNT
};

#endif
