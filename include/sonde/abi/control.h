/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What userspace tells the kernel side: settings frozen at load, verdicts about connections while
 * it runs. And the counters the kernel side keeps that are not drops.
 */
#ifndef SONDE_ABI_CONTROL_H
#define SONDE_ABI_CONTROL_H

#include <linux/types.h>

#define SONDE_MAX_PORT_RANGES 16

struct sonde_port_range {
	__u16 first;
	__u16 last; /* inclusive */
};

/* Read-only global `sonde_settings` of every object. */
struct sonde_settings {
	__u32 port_range_count; /* 0 = all ports, and unix sockets too */
	struct sonde_port_range ports[SONDE_MAX_PORT_RANGES];
	__u8 watch_exec;   /* EXEC records of processes that are not traced, too */
	__u8 watch_listen; /* LISTEN records, of any process */
	__u8 socket_table; /* per-socket state lives in sonde_sockets (sys_exit family), not in
			      sk_storage */
	__u8 tls;          /* the client randoms of TLS connections are remembered */
	__u8 wakes;        /* of which runtimes wakes are told: bit per enum sonde_runtime_kind */
	__u8 reserved[3];
};

/* Value of map sonde_verdicts; key: connection id. The kernel deletes an entry when it has obeyed
 * it. */
enum sonde_verdict {
	SONDE_VERDICT_HTTP1 = 1,   /* capture as HTTP/1 */
	SONDE_VERDICT_HTTP2 = 3,   /* capture as HTTP/2 */
	SONDE_VERDICT_REFUSED = 2, /* nothing more from this connection, for good */
};

/* Index of map sonde_counts. */
enum sonde_count {
	SONDE_COUNT_QUIET = 0,     /* calls on connections of other protocols: no record was made */
	SONDE_COUNT_TLS_HELLO = 1, /* TLS connections whose client random was seen */
	SONDE_COUNT_TLS_BY_RANDOM = 2, /* plain text streams, by how their socket was found ... */
	SONDE_COUNT_TLS_BY_FD = 3,
	SONDE_COUNT_TLS_NO_SOCKET = 4, /* ... or was not, at first */
	SONDE_COUNT_TLS_RETRY = 5,     /* writes that were made again with the same text */
	SONDE_COUNT_TLS_BY_LENGTH = 6, /* of those without: found later by the lengths of records */
	SONDE_COUNT_COUNT
};

#define SONDE_SETTINGS_BYTES 76

#endif
