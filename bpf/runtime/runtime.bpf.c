// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Family runtime: uprobes on the instructions of a runtime at which one execution makes or wakes
 * another. Which, and how they are read, userspace finds per binary (probes/runtime) and names by
 * the probe's cookie, an index of sonde_runtime_probes. Processes that are not traced leave at the
 * first lookup.
 */
#include "core/sonde.bpf.h"
#include "maps/traced.bpf.h"
#include "runtime/execution.bpf.h"
#include "runtime/go_streams.bpf.h"
#include "runtime/node_streams.bpf.h"
#include "socket/fd.bpf.h"

/* Written by userspace before the probe is attached, never changed while it is. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct sonde_runtime_probe);
} sonde_runtime_probes SEC(".maps");

/* LRU: threads end without a word. Userspace puts those in that wait when sonde comes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct sonde_parker_key);
	__type(value, struct sonde_parker);
} sonde_parkers SEC(".maps");

static __always_inline int sonde_woken(__u32 tgid, const struct sonde_execution_said *said)
{
	if (!said->from || !said->to || said->from == said->to ||
	    !sonde_token_has(tgid, said->from))
		return 0;
	sonde_token_give(tgid, said->to);
	return sonde_execution_say(said);
}

static __always_inline int sonde_woke(__u32 tgid, __u64 from, __u64 to, __u32 event, __u32 runtime)
{
	struct sonde_execution_said said = {
	    .from = from, .to = to, .event = event, .runtime = runtime};

	return sonde_woken(tgid, &said);
}

static __always_inline int sonde_made(__u64 from, __u64 to, __u32 runtime, bool whole)
{
	struct sonde_execution_said said = {
	    .from = from, .to = to, .event = SONDE_EXECUTION_MADE, .runtime = runtime};

	said.counter = whole;
	return from && to ? sonde_execution_say(&said) : 0;
}

/* Of each thread the first time is told whoever wakes it: so it waits in a queue, as loops do not.
 */
static __always_inline int sonde_java_unparked(__u32 tgid, __u32 tid, __u64 parker)
{
	struct sonde_parker_key key = {.parker = parker, .tgid = tgid};
	struct sonde_parker *parked = bpf_map_lookup_elem(&sonde_parkers, &key);
	struct sonde_execution_said said = {
	    .from = tid, .event = SONDE_EXECUTION_WOKEN, .runtime = SONDE_RUNTIME_JAVA};
	bool news;

	if (!parked)
		return 0;
	said.to = parked->tid;
	news = !parked->woken;
	parked->woken = 1;
	if (news && !sonde_token_has(tgid, tid))
		return sonde_execution_say(&said);
	return sonde_woken(tgid, &said);
}

static __always_inline int sonde_java_parks(__u32 tgid, __u32 tid, __u64 parker)
{
	struct sonde_parker_key key = {.parker = parker, .tgid = tgid};
	struct sonde_parker *known = bpf_map_lookup_elem(&sonde_parkers, &key);
	struct sonde_parker parked = {.tid = tid};

	if (!known || known->tid != tid)
		bpf_map_update_elem(&sonde_parkers, &key, &parked, BPF_ANY);
	return 0;
}

/* The id of the task whose header this is, 0 if it makes no sense. */
static __always_inline __u64 sonde_tokio_task(const struct sonde_tokio_layout *tokio, __u64 header)
{
	__u64 vtable = sonde_word(header + (__s64)tokio->vtable);
	__u64 offset = vtable ? sonde_word(vtable + (__s64)tokio->id_offset) : 0;

	return offset && offset < 4096 ? sonde_word(header + offset) : 0;
}

static __always_inline int sonde_python_copied(__u32 tgid, __u64 copy)
{
	struct sonde_runtime *runtime = sonde_runtime_of(tgid);

	if (!runtime || runtime->kind != SONDE_RUNTIME_PYTHON)
		return 0;
	return sonde_made(sonde_python_at_work(runtime), copy, SONDE_RUNTIME_PYTHON, false);
}

/* Whether this object is what concurrent.futures' thread pools put into their queue: a _WorkItem.
 * An object's type is at 8, a type's name at 24. Other queues pass on what they like. */
static __always_inline bool sonde_python_is_work(__u64 object)
{
	static const char wanted[] = "_WorkItem";
	__u64 type = object ? sonde_word(object + 8) : 0;
	__u64 at = type ? sonde_word(type + 24) : 0;
	char name[sizeof(wanted)] = {};

	if (!at || bpf_probe_read_user(name, sizeof(name), (void *)at))
		return false;
	return __builtin_memcmp(name, wanted, sizeof(wanted)) == 0;
}

static __always_inline int sonde_python_passes(__u32 tgid, __u64 work, __u32 event)
{
	struct sonde_runtime *runtime = sonde_runtime_of(tgid);
	struct sonde_execution_said said = {
	    .to = work, .event = event, .runtime = SONDE_RUNTIME_PYTHON};

	if (!runtime || runtime->kind != SONDE_RUNTIME_PYTHON || !sonde_python_is_work(work))
		return 0;
	if (event == SONDE_EXECUTION_HANDS_OFF && !runtime->unread)
		said.from = sonde_python_at_work(runtime);
	return sonde_execution_say(&said);
}

/* uvloop's UVHandle (Cython: object, method table, then uv_handle_t *) and libuv's uv_stream_t. */
#define SONDE_UVLOOP_HANDLE 24
#define SONDE_UV_TYPE       16
#define SONDE_UV_NAMED_PIPE 7
#define SONDE_UV_TCP        12
#define SONDE_UV_STREAM_FD  184 /* io_watcher.fd */

static __always_inline int sonde_python_leaves(__u32 tgid, __u64 stream)
{
	struct sonde_runtime *runtime = sonde_runtime_of(tgid);
	__u64 handle, connection, execution, inode = 0;
	__u32 type = 0;
	__s32 fd = -1;

	if (!runtime || runtime->kind != SONDE_RUNTIME_PYTHON || runtime->unread)
		return 0;
	handle = sonde_word(stream + SONDE_UVLOOP_HANDLE);
	bpf_probe_read_user(&type, sizeof(type), (void *)(handle + SONDE_UV_TYPE));
	if (!handle || (type != SONDE_UV_TCP && type != SONDE_UV_NAMED_PIPE))
		return 0;
	bpf_probe_read_user(&fd, sizeof(fd), (void *)(handle + SONDE_UV_STREAM_FD));
	connection = sonde_fd_connection(fd, &inode);
	execution = sonde_python_at_work(runtime);
	/* No number yet: nothing was seen on it, and its first bytes tell. */
	if (connection && execution)
		bpf_map_update_elem(&sonde_left, &connection, &execution, BPF_ANY);
	return 0;
}

/* Of the main thread's environment, once: userspace takes the probe out then. */
static __always_inline int sonde_node_hooks(__u32 tgid, __u32 tid, __u64 hooks)
{
	struct sonde_runtime *runtime = sonde_runtime_of(tgid);

	if (tgid == tid && runtime && runtime->kind == SONDE_RUNTIME_NODE && !runtime->base)
		runtime->base = sonde_word(hooks + (__s64)runtime->node.id_fields);
	return 0;
}

/* The goroutine at work: runtime.ready runs on the scheduler's stack. */
static __always_inline __u64 sonde_go_number(const struct sonde_go_layout *go)
{
	__u64 g = sonde_go_current(go);
	__u64 number = g ? sonde_word(g + (__s64)go->goid) : 0;

	if (!g || number)
		return number;
	g = sonde_word(sonde_word(g + (__s64)go->m) + (__s64)go->current);
	return g ? sonde_word(g + (__s64)go->goid) : 0;
}

/*
 * Only who waited to receive is woken because of what came in: who waited to send gives work, who
 * waited for a lock gets that. In a select it may have waited for either, which is told
 * (`counter`).
 */
static __always_inline int sonde_go_ready(const struct sonde_runtime_probe *probe, __u32 tgid,
					  __u64 g)
{
	const struct sonde_go_layout *go = &probe->runtime.go;
	struct sonde_execution_said said = {.event = SONDE_EXECUTION_WOKEN,
					    .runtime = SONDE_RUNTIME_GO};
	__u8 reason = 0;
	bool receives;

	/* runtime.g: goid, schedlink, waitsince, waitreason (Go 1.15 to 1.26). */
	bpf_probe_read_user(&reason, sizeof(reason), (void *)(g + (__s64)go->goid + 24));
	receives = reason == (probe->detail & 0xff);
	said.counter = reason == (probe->detail >> 8 & 0xff);
	if (!receives && !said.counter)
		return 0;
	said.from = sonde_go_number(go);
	said.to = sonde_word(g + (__s64)go->goid);
	return sonde_woken(tgid, &said);
}

/* go f(): runs on the scheduler's stack, too. */
static __always_inline int sonde_go_made(const struct sonde_go_layout *go, __u64 g)
{
	__u64 maker = sonde_go_parent(go, g);

	return sonde_made(maker ? maker : sonde_go_number(go), sonde_word(g + (__s64)go->goid),
			  SONDE_RUNTIME_GO, false);
}

static __always_inline int sonde_runtime_hit(struct pt_regs *ctx)
{
	__u32 index = bpf_get_attach_cookie(ctx);
	__u64 task = bpf_get_current_pid_tgid();
	__u32 tgid = task >> 32, tid = (__u32)task;
	const struct sonde_runtime_probe *probe;
	const struct sonde_tokio_layout *tokio;
	struct sonde_registers registers;
	__u64 subject;

	if (!sonde_is_traced(tgid))
		return 0;
	probe = bpf_map_lookup_elem(&sonde_runtime_probes, &index);
	if (!probe)
		return 0;
	sonde_registers_read(&registers, ctx);
	subject = sonde_register(&registers, probe->subject.from) + (__s64)probe->subject.offset;
	if (probe->subject.memory)
		subject = sonde_word(subject);
	tokio = &probe->runtime.tokio;
	switch (probe->event) {
	case SONDE_RUNTIME_PYTHON_COPIED:
		return sonde_python_copied(tgid, subject);
	case SONDE_RUNTIME_PYTHON_PUT:
		return sonde_python_passes(tgid, subject, SONDE_EXECUTION_HANDS_OFF);
	case SONDE_RUNTIME_PYTHON_TAKEN:
		return sonde_python_passes(tgid, subject, SONDE_EXECUTION_TAKES_UP);
	case SONDE_RUNTIME_PYTHON_LEAVES:
		return sonde_python_leaves(tgid, subject);
	case SONDE_RUNTIME_NODE_TURN:
		sonde_execution_turn();
		return 0;
	case SONDE_RUNTIME_NODE_HOOKS:
		return sonde_node_hooks(tgid, tid, subject);
	case SONDE_RUNTIME_NODE_READS:
	case SONDE_RUNTIME_NODE_CALLS:
	case SONDE_RUNTIME_NODE_ANSWERS:
	case SONDE_RUNTIME_NODE_STREAM:
	case SONDE_RUNTIME_NODE_FRAME:
		return sonde_node_stream(probe, subject, sonde_register(&registers, probe->detail));
	case SONDE_RUNTIME_GO_READY:
		return sonde_go_ready(probe, tgid, subject);
	case SONDE_RUNTIME_GO_MADE:
		return sonde_go_made(&probe->runtime.go, subject);
	case SONDE_RUNTIME_GO_GRPC_SERVES:
	case SONDE_RUNTIME_GO_HTTP2_SERVES:
	case SONDE_RUNTIME_GO_GRPC_CALLS:
	case SONDE_RUNTIME_GO_GRPC_SENDS:
	case SONDE_RUNTIME_GO_HTTP2_CALLS:
		return sonde_go_stream(probe, subject);
	case SONDE_RUNTIME_JAVA_UNPARKED:
		return sonde_java_unparked(tgid, tid, subject);
	case SONDE_RUNTIME_JAVA_PARKS:
		return sonde_java_parks(tgid, tid, subject);
	case SONDE_RUNTIME_TOKIO_WOKEN:
		return sonde_woke(tgid, sonde_tokio_current(tokio),
				  sonde_tokio_task(tokio, subject), SONDE_EXECUTION_WOKEN,
				  SONDE_RUNTIME_TOKIO);
	case SONDE_RUNTIME_TOKIO_WOKEN_BY_VALUE:
		return sonde_woke(tgid, sonde_tokio_current(tokio),
				  sonde_tokio_task(tokio, subject), SONDE_EXECUTION_WOKEN_BY_VALUE,
				  SONDE_RUNTIME_TOKIO);
	case SONDE_RUNTIME_TOKIO_BORN:
	case SONDE_RUNTIME_TOKIO_BLOCKS:
		return sonde_made(sonde_tokio_current(tokio), sonde_tokio_task(tokio, subject),
				  SONDE_RUNTIME_TOKIO, probe->event == SONDE_RUNTIME_TOKIO_BLOCKS);
	default:
		return 0;
	}
}

SEC("uprobe")
int sonde_runtime_at(struct pt_regs *ctx)
{
	return sonde_runtime_hit(ctx);
}

SEC("uretprobe")
int sonde_runtime_return(struct pt_regs *ctx)
{
	return sonde_runtime_hit(ctx);
}
