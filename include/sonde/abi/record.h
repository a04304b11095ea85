/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records that cross the ring buffer from kernel to userspace; also the body of a recording
 * (script: sonde run --record). Plain C for both compilers: fixed-width types, no padding, sizes
 * asserted. Numbers of record types are never reused.
 */
#ifndef SONDE_ABI_RECORD_H
#define SONDE_ABI_RECORD_H

#include <linux/types.h>

enum sonde_record_type {
	SONDE_RECORD_DATA = 1, /* bytes moved on a socket */
	SONDE_RECORD_OPEN =
	    2, /* first I/O of a traced process on a socket; always before its first DATA */
	SONDE_RECORD_SHUTDOWN = 3, /* no more bytes in one or both directions */
	SONDE_RECORD_FORK = 4,     /* a traced process made a new process */
	SONDE_RECORD_EXEC = 5,     /* a process began a new program */
	SONDE_RECORD_EXIT = 6,     /* the last thread of a traced process ended */
	SONDE_RECORD_LISTEN = 7,   /* a process began to listen on a TCP port */
	SONDE_RECORD_MAPPED =
	    8, /* a traced process touched a file in its memory for the first time */
	SONDE_RECORD_EXECUTION = 9, /* what a runtime, or a call, says about who works for whom */
};

/* Direction of bytes, seen from the process that made the call. */
enum sonde_direction { SONDE_RECEIVE = 0, SONDE_SEND = 1, SONDE_BOTH = 2 };

/* Where the bytes were seen. */
enum sonde_source {
	SONDE_SOURCE_SOCKET = 0,
	/* Plain text at the edge of a TLS library: */
	SONDE_SOURCE_OPENSSL = 1,
	SONDE_SOURCE_BORINGSSL = 2,
	SONDE_SOURCE_GNUTLS = 3,
	SONDE_SOURCE_GO_TLS = 4,
	SONDE_SOURCE_RUSTLS = 5,
	SONDE_SOURCE_COUNT
};

enum sonde_transport { SONDE_TRANSPORT_TCP = 0, SONDE_TRANSPORT_UNIX = 1 };

/* sonde_data_record.flags */
#define SONDE_DATA_UNSEEN                                                                          \
	1 /* the payload could not be seen (io_uring, splice); the length is still exact */

struct sonde_record_header {
	__u16 type; /* enum sonde_record_type */
	__u16 reserved;
	__u32 size;    /* whole record in bytes, this header included */
	__u64 mono_ns; /* CLOCK_MONOTONIC when the call returned */
};

/*
 * Followed by `captured` bytes from the start of what was moved, then `tail` bytes from its end,
 * then zeros up to a multiple of 8. A call that moves a very large head gives several records, one
 * after the other.
 */
struct sonde_data_record {
	struct sonde_record_header header;
	__u64 connection; /* socket cookie, or inode number | 1<<63 in the sys_exit family */
	__u64 position; /* of the first byte: TCP sequence number (32 bit), else bytes before it in
			   this direction */
	__u64 execution_id; /* goroutine, Python context, ...; 0 = only the thread is known */
	__u32 tgid;
	__u32 tid;
	__u32 length;   /* bytes moved by the call (this message of it, for sendmmsg) */
	__u32 captured; /* <= length */
	__u16 tail;     /* <= length - captured */
	__u8 direction; /* enum sonde_direction, never SONDE_BOTH */
	__u8 source;    /* enum sonde_source */
	__u8 flags;     /* SONDE_DATA_* */
	__u8 runtime;   /* enum sonde_runtime_kind: whose execution_id it is */
	__u8 reserved[2];
};

struct sonde_open_record {
	struct sonde_record_header header;
	__u64 connection;
	__u64 peer_connection; /* unix sockets: id of the other end; plain text of TLS: a name that
				  both ends give the connection (client random); 0 if not known */
	__u64 netns_inode;
	__u32 tgid;
	__u32 tid;
	__u8 transport; /* enum sonde_transport */
	__u8 family;    /* 4, 6, or 1 for unix */
	__u16 local_port;
	__u16 remote_port;
	__u16 path_length;       /* unix: bytes used in path, 0 = unnamed */
	__u8 local_address[16];  /* IPv4 in the first 4 bytes, network order */
	__u8 remote_address[16]; /* v4-mapped IPv6 is given as family 4 */
	__u8 path[108];          /* unix: bound path of either end; abstract names start with NUL */
	__u8 has_begin;
	__u8 plain_text; /* of TLS: positions count its bytes, from 0 if has_begin; the addresses
			    are the socket's, family 0 if that is not known */
	__u8 reserved[2];
	__u32 begin[2]; /* by direction: position of the first byte that can be seen from now
			   on; if has_begin */
};

struct sonde_shutdown_record {
	struct sonde_record_header header;
	__u64 connection;
	__u64 position; /* first byte that will not come, same counting as DATA; only if
			   has_position */
	__u8 direction; /* enum sonde_direction */
	__u8 has_position;
	__u8 reserved[6];
};

/* Names a file by what the kernel calls it: beneath an overlay, the file that is really mapped. */
struct sonde_mapped_record {
	struct sonde_record_header header;
	__u64 inode;
	__u32 device; /* as the kernel encodes it: major << 20 | minor */
	__u32 tgid;
};

/* What an EXECUTION record says. Numbers of executions are those of sonde_data_record.execution_id,
 * but threads where a runtime has none (Java). */
enum sonde_execution_event {
	/* `from` made `to` (goroutine, copied context, task); tokio: `counter` is 1 if that runs to
	 * its end on a thread of its own */
	SONDE_EXECUTION_MADE = 1,
	SONDE_EXECUTION_WOKEN =
	    2, /* `from` woke `to`; Go: `counter` is 1 if that was in a select */
	SONDE_EXECUTION_WOKEN_BY_VALUE = 3, /* the same, by what tokio's sockets and queues use */
	/* `to`, made by `from`, waits for what `connection` receives. Before the DATA it is about.
	 */
	SONDE_EXECUTION_AWAITED = 4,
	/* Node: `from` runs, `to` triggered it, `counter` ids were given out so far. Before the
	 * DATA it is about, and at every other receive. */
	SONDE_EXECUTION_ASYNC_IDS = 5,
	/* The thread begins to connect `connection`. Node: the ids as above; HAProxy: `from` runs.
	 */
	SONDE_EXECUTION_CONNECTS = 6,
	/* `from` leaves the piece of work `to` to whom takes it up; a number that comes again. */
	SONDE_EXECUTION_HANDS_OFF = 7,
	SONDE_EXECUTION_TAKES_UP = 8, /* the thread begins with the piece of work `to` */
	/* Go: `to` works for stream `counter` of HTTP/2 from now on. If `connection` is not 0, of
	 * that, or of the plain text `from` that is moved over it; else of the one that `from`
	 * reads. */
	SONDE_EXECUTION_SERVES = 9,
	/* Go: `from` is about to send the request of stream `counter`, which is `to`'s call.
	 * Node: who runs now, the ids as above, makes the request of stream `counter` of
	 * `connection`, which is sent later. */
	SONDE_EXECUTION_CALLS = 10,
	/* Node: the same of a response. */
	SONDE_EXECUTION_ANSWERS = 11,
	/* Node: the ids as above; a receive told the end of `connection`, or an error. */
	SONDE_EXECUTION_ENDED = 12,
	/* Node: what came on stream `to` of `connection` is given to JavaScript from now on, within
	 * whatever `from` is (0 = nothing runs); `counter` as above. */
	SONDE_EXECUTION_STREAM = 13,
};

struct sonde_execution_record {
	struct sonde_record_header header;
	__u64 connection; /* 0 = about none */
	__u64 from;
	__u64 to;
	__u64 counter;
	__u32 tgid;
	__u32 tid;
	__u8 event;   /* enum sonde_execution_event */
	__u8 runtime; /* enum sonde_runtime_kind */
	__u8 reserved[6];
};

#define SONDE_COMM_BYTES    16
#define SONDE_PROGRAM_BYTES 256

struct sonde_process_record {
	struct sonde_record_header header; /* FORK, EXEC, EXIT, LISTEN */
	__u32 tgid;
	__u32 parent_tgid;
	__u64 start_ns;      /* task start_boottime: with tgid, names a process for good */
	__u64 cgroup_id;     /* cgroup v2 inode of the process, 0 if unknown */
	__u16 exit_code;     /* EXIT: as wait(2) encodes it */
	__u16 listen_port;   /* LISTEN */
	__u16 program_bytes; /* EXEC: bytes used in program */
	__u8 traced;         /* the process carries the traced flag */
	__u8 reserved;
	char comm[SONDE_COMM_BYTES];
	char program[SONDE_PROGRAM_BYTES]; /* EXEC: file name as given to execve */
};

/* Sizes, proven on both sides: bpf/core/abi_check.bpf.h (C) and src/kernel/abi_check.cpp (C++). */
#define SONDE_HEADER_BYTES           16
#define SONDE_DATA_RECORD_BYTES      64
#define SONDE_OPEN_RECORD_BYTES      208
#define SONDE_SHUTDOWN_RECORD_BYTES  40
#define SONDE_MAPPED_RECORD_BYTES    32
#define SONDE_PROCESS_RECORD_BYTES   320
#define SONDE_EXECUTION_RECORD_BYTES 64

#endif
