/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Go's servers and clients of HTTP/2: one goroutine moves the bytes of a connection, others work
 * for its streams. Which goroutine serves a stream is told when that begins; whose call a stream
 * is, when its headers are about to be sent.
 */
#ifndef SONDE_BPF_GO_STREAMS_H
#define SONDE_BPF_GO_STREAMS_H

#include "core/sonde.bpf.h"
#include "core/user.bpf.h"
#include "maps/drops.bpf.h"
#include "runtime/execution.bpf.h"
#include "socket/fd.bpf.h"
#include "socket/go_fd.bpf.h"
#include "socket/socket_state.bpf.h"

/* Headers that wait for the connection's writer, and the goroutine that left them. Deleted when
 * they are sent; LRU for those that never are. 8,192 calls between the two at once. */
struct sonde_headers_key {
	__u64 headers;
	__u32 tgid;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct sonde_headers_key);
	__type(value, __u64);
} sonde_headers SEC(".maps");

static __always_inline int sonde_go_grpc_serves(const struct sonde_go_layout *go, __u64 number,
						__u64 g)
{
	struct sonde_execution_said said = {.event = SONDE_EXECUTION_SERVES,
					    .runtime = SONDE_RUNTIME_GO};

	said.from = sonde_go_parent(go, g);
	said.to = sonde_word(g + (__s64)go->goid);
	said.counter = number;
	/* 0: a stream that net/http serves, whose goroutine made this one. */
	return said.from && said.to && number ? sonde_execution_say(&said) : 0;
}

/* responseWriterState: stream, request, connection. stream: connection, number. serverConn: two
 * pointers, then the net.Conn. The same since there is HTTP/2 in net/http; that both name the same
 * connection proves it each time. */
static __always_inline int sonde_go_http2_serves(const struct sonde_go_layout *go, __u64 state,
						 __u64 g)
{
	struct sonde_execution_said said = {.event = SONDE_EXECUTION_SERVES,
					    .runtime = SONDE_RUNTIME_GO};
	__u64 stream = sonde_word(state);
	__u64 server = sonde_word(stream);
	__u64 inode = 0;

	if (!stream || !server || sonde_word(state + 16) != server)
		return sonde_drop(SONDE_DROP_STREAM_SOCKET);
	said.connection = sonde_fd_connection(sonde_go_fd(server + 16), &inode);
	if (!inode)
		return sonde_drop(SONDE_DROP_STREAM_SOCKET);
	/* No number yet: it is the text of TLS, and nobody looked at what is beneath. */
	if (!said.connection)
		said.connection = sonde_inode_id(inode);
	said.from = sonde_inode_id(inode) | SONDE_TEXT_ID;
	said.to = sonde_word(g + (__s64)go->goid);
	said.counter = sonde_number(stream + 8);
	return said.to ? sonde_execution_say(&said) : 0;
}

/* Who made the one that calls: what a handler starts works for its stream, too. */
static __always_inline int sonde_go_calls(const struct sonde_go_layout *go, __u64 caller, __u64 g)
{
	struct sonde_execution_said said = {.event = SONDE_EXECUTION_MADE,
					    .runtime = SONDE_RUNTIME_GO};

	said.from = sonde_go_parent(go, g);
	said.to = caller;
	return said.from && caller ? sonde_execution_say(&said) : 0;
}

static __always_inline int sonde_go_grpc_calls(const struct sonde_go_layout *go,
					       const struct sonde_headers_key *key, __u64 g)
{
	__u64 caller = sonde_word(g + (__s64)go->goid);

	if (!caller)
		return 0;
	bpf_map_update_elem(&sonde_headers, key, &caller, BPF_ANY);
	return sonde_go_calls(go, caller, g);
}

static __always_inline int sonde_go_grpc_sends(const struct sonde_go_layout *go,
					       const struct sonde_headers_key *key, __u64 number,
					       __u64 g)
{
	struct sonde_execution_said said = {.event = SONDE_EXECUTION_CALLS,
					    .runtime = SONDE_RUNTIME_GO};
	__u64 *caller = bpf_map_lookup_elem(&sonde_headers, key);

	if (!caller) /* left before anybody looked, or what a server answers */
		return 0;
	said.to = *caller;
	bpf_map_delete_elem(&sonde_headers, key);
	said.from = sonde_word(g + (__s64)go->goid);
	said.counter = number;
	return said.from && number ? sonde_execution_say(&said) : 0;
}

/* Global: verified once. */
SONDE_GLOBAL int sonde_go_stream(const struct sonde_runtime_probe *probe, __u64 subject)
{
	struct sonde_headers_key key = {.headers = subject};
	const struct sonde_go_layout *go;
	__u64 g;

	if (!probe)
		return 0;
	go = &probe->runtime.go;
	key.tgid = bpf_get_current_pid_tgid() >> 32;
	g = sonde_go_current(go);
	if (!g || !subject)
		return 0;
	switch (probe->event) {
	case SONDE_RUNTIME_GO_GRPC_SERVES:
		return sonde_go_grpc_serves(go, sonde_number(subject + probe->detail), g);
	case SONDE_RUNTIME_GO_HTTP2_SERVES:
		return sonde_go_http2_serves(go, subject, g);
	case SONDE_RUNTIME_GO_GRPC_CALLS:
		return sonde_go_grpc_calls(go, &key, g);
	case SONDE_RUNTIME_GO_HTTP2_CALLS:
		return sonde_go_calls(go, sonde_word(g + (__s64)go->goid), g);
	default:
		return sonde_go_grpc_sends(go, &key, sonde_number(subject + probe->detail), g);
	}
}

#endif
