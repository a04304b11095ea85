/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The execution behind a record about bytes: its number goes into the record, and what else the
 * runtime tells at that moment goes before it in an EXECUTION record.
 */
#ifndef SONDE_BPF_EXECUTION_H
#define SONDE_BPF_EXECUTION_H

#include "core/sonde.bpf.h"
#include "maps/ring.bpf.h"
#include "maps/runtimes.bpf.h"
#include "maps/scratch.bpf.h"
#include "maps/traced.bpf.h"
#include "runtime/memory.bpf.h"
#include "runtime/tokens.bpf.h"
#include "socket/global.bpf.h"
#include "socket/socket_state.bpf.h"

struct sonde_execution_said {
	__u64 connection;
	__u64 from;
	__u64 to;
	__u64 counter;
	__u32 event;
	__u32 runtime;
};

/* Not inlined: so the object's BTF has the record's layout, which a test compares. */
static __noinline int sonde_execution_fill(struct sonde_execution_record *record,
					   const struct sonde_execution_said *said)
{
	__u64 task = bpf_get_current_pid_tgid();

	__builtin_memset(record, 0, sizeof(*record));
	record->header.type = SONDE_RECORD_EXECUTION;
	record->header.size = sizeof(*record);
	record->header.mono_ns = bpf_ktime_get_ns();
	record->connection = said->connection;
	record->from = said->from;
	record->to = said->to;
	record->counter = said->counter;
	record->tgid = task >> 32;
	record->tid = (__u32)task;
	record->event = said->event;
	record->runtime = said->runtime;
	return 0;
}

/* Global: verified once. */
SONDE_GLOBAL int sonde_execution_say(const struct sonde_execution_said *said)
{
	struct sonde_execution_record *record;

	if (!said)
		return 0;
	record = bpf_ringbuf_reserve(&sonde_ring, sizeof(*record), 0);
	if (!record)
		return sonde_drop(SONDE_DROP_RING_FULL);
	sonde_execution_fill(record, said);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

/* A client's goroutine is told once per connection it sends on; the one that waits for the answer
 * when that comes. */
static __always_inline void sonde_execution_go(struct sonde_data_record *record,
					       struct sonde_socket *socket,
					       const struct sonde_go_layout *go)
{
	struct sonde_execution_said said = {.connection = socket->connection,
					    .runtime = SONDE_RUNTIME_GO};
	__u64 g = sonde_go_current(go), other;

	if (!g)
		return;
	record->execution_id = sonde_word(g + (__s64)go->goid);
	if (record->direction == SONDE_SEND) {
		socket->writer = g;
		if (socket->told == record->execution_id)
			return;
		socket->told = record->execution_id;
		said.event = SONDE_EXECUTION_MADE;
		said.to = record->execution_id;
		said.from = sonde_go_parent(go, g);
		if (said.from)
			sonde_execution_say(&said);
		return;
	}
	if (!socket->writer || socket->writer == g)
		return;
	other = sonde_go_awaiting(go, &socket->channel, socket->writer, g);
	socket->writer = 0;
	if (!other)
		return;
	said.event = SONDE_EXECUTION_AWAITED;
	said.to = sonde_word(other + (__s64)go->goid);
	said.from = sonde_go_parent(go, other);
	sonde_execution_say(&said);
}

/* double[4] of AsyncHooks: execution id, trigger id, counter, default trigger. Worker threads have
 * ids of their own, which are not read. */
static __always_inline bool sonde_node_ids(struct sonde_execution_said *said,
					   const struct sonde_runtime *runtime)
{
	__u64 task = bpf_get_current_pid_tgid();
	__u64 ids[3];

	if (!runtime->base || task >> 32 != (__u32)task ||
	    bpf_probe_read_user(ids, sizeof(ids), (void *)runtime->base))
		return false;
	said->from = sonde_whole(ids[0]);
	said->to = sonde_whole(ids[1]);
	said->counter = sonde_whole(ids[2]);
	return true;
}

static __always_inline void sonde_node_turn(struct sonde_runtime *runtime, __u64 reading)
{
	runtime->node.reading = reading;
	runtime->node.stream = 0;
}

/* What Node or HAProxy says of the current thread, into a record about something else. */
static __always_inline void sonde_execution_ids(struct sonde_execution_said *said)
{
	struct sonde_runtime *runtime = sonde_runtime_of(bpf_get_current_pid_tgid() >> 32);

	if (!runtime)
		return;
	said->runtime = runtime->kind;
	if (runtime->unread)
		return;
	if (runtime->kind == SONDE_RUNTIME_NODE)
		sonde_node_ids(said, runtime);
	else if (runtime->kind == SONDE_RUNTIME_HAPROXY)
		said->from = sonde_haproxy_current(&runtime->haproxy);
}

static __always_inline void sonde_execution_node(struct sonde_data_record *record,
						 struct sonde_runtime *runtime)
{
	struct sonde_execution_said said = {.connection = record->connection,
					    .event = SONDE_EXECUTION_ASYNC_IDS,
					    .runtime = SONDE_RUNTIME_NODE};

	if (!sonde_node_ids(&said, runtime))
		return;
	record->execution_id = said.from;
	if (record->direction == SONDE_RECEIVE)
		sonde_node_turn(runtime, record->connection);
	sonde_execution_say(&said);
}

/* Who left these bytes to the loop, if anybody did. */
static __always_inline void sonde_execution_python(struct sonde_data_record *record,
						   const struct sonde_runtime *runtime)
{
	__u64 connection = record->connection;
	__u64 *left = 0;

	if (record->direction == SONDE_SEND)
		left = bpf_map_lookup_elem(&sonde_left, &connection);
	if (!left) {
		record->execution_id = sonde_python_at_work(runtime);
		return;
	}
	record->execution_id = *left;
	bpf_map_delete_elem(&sonde_left, &connection);
}

/* Fills in who moved the bytes of scratch->record. Global: verified once. */
SONDE_OF_SOCKET(int, sonde_execution)
{
	struct sonde_data_record *record;
	struct sonde_runtime *runtime;

	if (!scratch || !socket)
		return 0;
	record = &scratch->record;
	runtime = sonde_runtime_of(record->tgid);
	if (!runtime)
		return 0;
	record->runtime = runtime->kind;
	if (runtime->unread)
		return 0;
	switch (runtime->kind) {
	case SONDE_RUNTIME_GO:
		sonde_execution_go(record, socket, &runtime->go);
		break;
	case SONDE_RUNTIME_PYTHON:
		sonde_execution_python(record, runtime);
		break;
	case SONDE_RUNTIME_NODE:
		sonde_execution_node(record, runtime);
		break;
	case SONDE_RUNTIME_JAVA:
		record->execution_id = sonde_java_thread(runtime);
		break;
	case SONDE_RUNTIME_TOKIO:
		record->execution_id = sonde_tokio_current(&runtime->tokio);
		break;
	case SONDE_RUNTIME_HAPROXY:
		record->execution_id = sonde_haproxy_current(&runtime->haproxy);
		break;
	default:
		return 0;
	}
	if (record->direction == SONDE_RECEIVE)
		sonde_token_take(record->tgid, record->tid, record->execution_id, runtime->kind);
	return 0;
}

/* Node: a turn begins without bytes that are looked into. */
static __always_inline void sonde_execution_begins(__u64 connection, __u32 event)
{
	struct sonde_runtime *runtime = sonde_runtime_of(bpf_get_current_pid_tgid() >> 32);
	struct sonde_execution_said said = {
	    .connection = connection, .event = event, .runtime = SONDE_RUNTIME_NODE};

	if (!runtime || runtime->kind != SONDE_RUNTIME_NODE || !sonde_node_ids(&said, runtime))
		return;
	sonde_node_turn(runtime, 0);
	sonde_execution_say(&said);
}

/* Nothing of a connection began it. */
static __always_inline void sonde_execution_turn(void)
{
	sonde_execution_begins(0, SONDE_EXECUTION_ASYNC_IDS);
}

/* The end of a connection, or an error. */
static __always_inline void sonde_execution_ends(__u64 connection)
{
	sonde_execution_begins(connection, SONDE_EXECUTION_ENDED);
}

/* A receive of which no record is made (encrypted, or another protocol) is the beginning of a turn
 * all the same. */
static __always_inline void sonde_execution_quiet(__u32 direction)
{
	if (direction == SONDE_RECEIVE)
		sonde_execution_turn();
}

#endif
