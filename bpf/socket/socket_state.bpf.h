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

/* Key of map sonde_texts. A TLS connection is named by what both its socket and its TLS object
 * show: the client random; else by the socket's inode, if the object tells it; else by the
 * object. */
enum sonde_text_kind {
	SONDE_TEXT_NONE = 0,
	SONDE_TEXT_INODE = 1,  /* name[0], no tgid */
	SONDE_TEXT_OBJECT = 2, /* name[0]: its address */
	SONDE_TEXT_CLIENT = 3, /* name: first 16 bytes of the client random ... */
	SONDE_TEXT_SERVER = 4, /* ... at either end */
};

struct sonde_text_key {
	__u64 name[2];
	__u32 tgid; /* both ends of a connection may be on this host */
	__u32 kind; /* enum sonde_text_kind */
};

/* Number of a connection where cookies cannot be asked for: that of the socket's file. */
static __always_inline __u64 sonde_inode_id(__u64 inode)
{
	return inode | 1ULL << 63;
}

/* Set in the id of a connection that is the plain text of another. */
#define SONDE_TEXT_ID (1ULL << 62)

struct sonde_socket {
	__u64 connection;
	__u64 inode;    /* number of the socket's file */
	__u64 moved[2]; /* unix sockets: bytes per direction */
	struct sonde_capture_state capture;
	struct sonde_mmsg mmsg;
	__u64 writer;  /* Go: the g that sent last and was not waited for since */
	__u64 told;    /* Go: the sender that userspace knows of */
	__u64 channel; /* Go: where the one who awaited an answer was found, 0 = not yet */
	__u32 opened;  /* an OPEN record was sent */
	__u32 ended;   /* a SHUTDOWN record for receive was sent */
};

#endif
