/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Node's servers and clients of HTTP/2. One read brings frames of many streams, which are given to
 * JavaScript one after the other: told when the stream changes. What JavaScript asks for on a
 * stream is sent later, together with what others asked for: told when nghttp2 is given the request
 * or the response. Which connection a session of nghttp2 is for shows when it is given what was
 * just read.
 */
#ifndef SONDE_BPF_NODE_STREAMS_H
#define SONDE_BPF_NODE_STREAMS_H

#include "core/sonde.bpf.h"
#include "core/user.bpf.h"
#include "maps/runtimes.bpf.h"
#include "runtime/execution.bpf.h"

struct sonde_session_key {
	__u64 session; /* its address in the process */
	__u32 tgid;
	__u32 reserved;
};

/* The connection of a session. LRU: sessions end without a word; one at the same address is read
 * for before it answers. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sonde_session_key);
	__type(value, __u64);
} sonde_sessions SEC(".maps");

static __always_inline int sonde_node_reads(const struct sonde_session_key *key,
					    const struct sonde_runtime *runtime)
{
	__u64 *known = bpf_map_lookup_elem(&sonde_sessions, key);
	__u64 reading = runtime->node.reading;

	/* 0: bytes of which no record was made. */
	if (reading && (!known || *known != reading))
		bpf_map_update_elem(&sonde_sessions, key, &reading, BPF_ANY);
	return 0;
}

static __always_inline int sonde_node_says(const struct sonde_session_key *key,
					   const struct sonde_runtime *runtime, __u64 stream,
					   __u32 event)
{
	__u64 *connection = bpf_map_lookup_elem(&sonde_sessions, key);
	struct sonde_execution_said said = {.event = event, .runtime = SONDE_RUNTIME_NODE};

	if (!connection || !stream || !sonde_node_ids(&said, runtime))
		return 0;
	said.connection = *connection;
	said.counter = stream;
	return sonde_execution_say(&said);
}

/* What comes next in the same turn on the same stream is of the same. Stream 0: it is about the
 * connection. */
static __always_inline int sonde_node_gives(const struct sonde_session_key *key,
					    struct sonde_runtime *runtime, __u32 stream)
{
	struct sonde_execution_said said = {.event = SONDE_EXECUTION_STREAM,
					    .runtime = SONDE_RUNTIME_NODE};
	__u64 *connection;

	if (stream && runtime->node.stream == stream)
		return 0;
	connection = bpf_map_lookup_elem(&sonde_sessions, key);
	if (!connection || !sonde_node_ids(&said, runtime))
		return 0;
	runtime->node.stream = stream;
	said.connection = *connection;
	said.to = stream;
	return sonde_execution_say(&said);
}

/* In nghttp2_frame_hd, after a size_t. */
#define SONDE_FRAME_STREAM 8

/* Global: verified once. `argument`: what is in the register that the probe names. */
SONDE_GLOBAL int sonde_node_stream(const struct sonde_runtime_probe *probe, __u64 session,
				   __u64 argument)
{
	__u64 task = bpf_get_current_pid_tgid();
	struct sonde_session_key key = {.session = session};
	struct sonde_runtime *runtime = sonde_runtime_of(task >> 32);

	key.tgid = task >> 32;
	if (!probe || !session || key.tgid != (__u32)task || !runtime ||
	    runtime->kind != SONDE_RUNTIME_NODE)
		return 0;
	switch (probe->event) {
	case SONDE_RUNTIME_NODE_READS:
		return sonde_node_reads(&key, runtime);
	case SONDE_RUNTIME_NODE_CALLS:
		return sonde_node_says(&key, runtime, sonde_number(session + probe->detail),
				       SONDE_EXECUTION_CALLS);
	case SONDE_RUNTIME_NODE_ANSWERS:
		return sonde_node_says(&key, runtime, (__u32)argument, SONDE_EXECUTION_ANSWERS);
	case SONDE_RUNTIME_NODE_FRAME:
		return sonde_node_gives(&key, runtime, sonde_number(argument + SONDE_FRAME_STREAM));
	default:
		return sonde_node_gives(&key, runtime, (__u32)argument);
	}
}

#endif
