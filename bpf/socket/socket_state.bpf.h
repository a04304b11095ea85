/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is remembered of a socket, by either hook family. */
#ifndef SONDE_BPF_SOCKET_STATE_H
#define SONDE_BPF_SOCKET_STATE_H

#include <sonde/wire/capture.h>

/* Progress through one sendmmsg/recvmmsg call, which the socket hook sees as separate messages. */
struct sonde_mmsg {
	__u64 vector; /* user address of the message vector */
	__u64 mono_ns;
	__u32 tid;
	__u32 index;  /* next message; 0 = no call is under way */
	__u32 length; /* of the message before */
	__u32 reserved;
};

struct sonde_socket {
	__u64 connection;
	__u64 inode;    /* sys_exit family: to see that the kernel's object was reused */
	__u64 moved[2]; /* unix sockets: bytes per direction */
	struct sonde_capture_state capture;
	struct sonde_mmsg mmsg;
	__u32 opened; /* an OPEN record was sent */
	__u32 ended;  /* a SHUTDOWN record for receive was sent */
};

#endif
