/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who is at work on the current thread, read from the memory of its language runtime. Reads that
 * fail give 0: not known. Everything is bounded, because the memory is the program's and may hold
 * anything.
 */
#ifndef SONDE_BPF_RUNTIME_MEMORY_H
#define SONDE_BPF_RUNTIME_MEMORY_H

#include "core/sonde.bpf.h"
#include "core/user.bpf.h"
#include "maps/runtimes.bpf.h"

static __always_inline __u64 sonde_go_current(const struct sonde_go_layout *go)
{
	return sonde_word(SONDE_THREAD_POINTER(sonde_current()) + (__s64)go->g);
}

static __always_inline __u64 sonde_go_parent(const struct sonde_go_layout *go, __u64 g)
{
	return go->parent_goid == SONDE_NOWHERE ? 0 : sonde_word(g + (__s64)go->parent_goid);
}

#define SONDE_GO_SUDOGS 4
#define SONDE_GO_QUEUE  4

/* A place in a channel's queue, from `sudog_goroutine` on: both words are read at once. */
struct sonde_go_sudog {
	__u64 goroutine;
	__u64 next;
};

/* Who waits to receive from `channel` beside `writer`, if that does, too; 0 = none. `reader` is the
 * one that received. */
static __always_inline __u64 sonde_go_beside(const struct sonde_go_layout *go, __u64 channel,
					     __u64 writer, __u64 reader)
{
	struct sonde_go_sudog sudog = {.next = sonde_word(channel + (__s64)go->channel_receivers)};
	bool has_writer = false;
	__u64 other = 0;
	__u64 i; /* see sonde_go_fd */

	for (i = 0; i < SONDE_GO_QUEUE && sudog.next && !(other && has_writer); i++) {
		if (bpf_probe_read_user(&sudog, sizeof(sudog),
					(void *)(sudog.next + (__s64)go->sudog_goroutine)))
			return 0;
		if (sudog.goroutine == writer)
			has_writer = true;
		else if (!other && sudog.goroutine != reader)
			other = sudog.goroutine;
	}
	return has_writer ? other : 0;
}

/*
 * The goroutine that waits where `writer` waits: net/http's writeLoop and the roundTrip of the call
 * it sent both wait for the connection's closech. 0 = none. `*channel` is where somebody was found
 * the last time, 0 = nowhere yet: most often it is there again, and the program's memory, which
 * another processor wrote, is read four times and not a dozen.
 */
static __always_inline __u64 sonde_go_awaiting(const struct sonde_go_layout *go, __u64 *channel,
					       __u64 writer, __u64 reader)
{
	__u64 other = *channel ? sonde_go_beside(go, *channel, writer, reader) : 0;
	__u64 sudog = other ? 0 : sonde_word(writer + (__s64)go->waiting);
	__u64 i;

	for (i = 0; i < SONDE_GO_SUDOGS && sudog && !other; i++) {
		*channel = sonde_word(sudog + (__s64)go->sudog_channel);
		if (*channel)
			other = sonde_go_beside(go, *channel, writer, reader);
		sudog = sonde_word(sudog + (__s64)go->sudog_waitlink);
	}
	return other;
}

/* What does not change for a thread: looked up once. */
struct sonde_thread {
	__u64 python; /* its thread state */
};

#ifdef SONDE_BASE_KERNEL

/* Key: thread. LRU: threads end without a word, and what is found here is checked each time. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct sonde_thread);
} sonde_threads SEC(".maps");

static __always_inline struct sonde_thread *sonde_thread_of(struct task_struct *task)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct sonde_thread none = {};

	if (!bpf_map_lookup_elem(&sonde_threads, &thread))
		bpf_map_update_elem(&sonde_threads, &thread, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sonde_threads, &thread);
}

#else

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sonde_thread);
} sonde_threads SEC(".maps");

/* Of the current thread. */
static __always_inline struct sonde_thread *sonde_thread_of(struct task_struct *task)
{
	return bpf_task_storage_get(&sonde_threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

#endif

/* Newest thread states come first. A thread beyond is taken for one that is not known. */
#define SONDE_PYTHON_THREADS 256

/* Global: verified once. Returns the thread state through *state. */
SONDE_GLOBAL int sonde_python_find(const struct sonde_runtime *runtime, __u64 pointer,
				   struct sonde_thread *thread)
{
	__u64 state;
	__u32 i;

	if (!runtime || !thread)
		return 0;
	state = sonde_word(runtime->base + (__s64)runtime->python.interpreter);
	if (state)
		state = sonde_word(state + (__s64)runtime->python.threads);
	for (i = 0; i < SONDE_PYTHON_THREADS && state; i++) {
		if (sonde_word(state + (__s64)runtime->python.thread_id) == pointer) {
			thread->python = state;
			return 1;
		}
		state = sonde_word(state + (__s64)runtime->python.next);
	}
	thread->python = 0;
	return 0;
}

/* Of 16 KiB each; a chain that is longer is one that is not known. */
#define SONDE_PYTHON_CHUNKS 16

/* The first chunk of the data stack that is in use, which a greenlet has from its first frame to
 * its end: switching to another puts the other's there. 0 = not known. */
static __always_inline __u64 sonde_python_stack(const struct sonde_runtime *runtime, __u64 state)
{
	__u64 previous, chunk;
	__u32 i;

	if (runtime->python.stack == SONDE_NOWHERE)
		return 0;
	chunk = sonde_word(state + (__s64)runtime->python.stack);
	for (i = 0; i < SONDE_PYTHON_CHUNKS && chunk; i++) {
		previous = sonde_word(chunk);
		if (!previous)
			return chunk;
		chunk = previous;
	}
	return 0;
}

/*
 * What is at work in the current thread: its Context object; with SONDE_PYTHON_OWN if no
 * Context.run is in it. Such a one the thread (or greenlet) made for itself when it first needed
 * one: whatever was copied at that address before has nothing to do with it. Without a Context its
 * stack, with SONDE_PYTHON_STACK. Thread states are told apart by the thread pointer, which is the
 * same in every pid namespace. */
static __always_inline __u64 sonde_python_at_work(const struct sonde_runtime *runtime)
{
	struct task_struct *task = sonde_current();
	__u64 pointer = SONDE_THREAD_POINTER(task);
	struct sonde_thread *thread = sonde_thread_of(task);

	__u64 context, stack;
	__u8 entered = 0;

	if (!thread)
		return 0;
	if ((!thread->python ||
	     sonde_word(thread->python + (__s64)runtime->python.thread_id) != pointer) &&
	    !sonde_python_find(runtime, pointer, thread))
		return 0;
	context = sonde_word(thread->python + (__s64)runtime->python.context);
	if (!context) {
		stack = sonde_python_stack(runtime, thread->python);
		return stack ? stack | SONDE_PYTHON_STACK : 0;
	}
	bpf_probe_read_user(&entered, sizeof(entered),
			    (void *)(context + (__s64)runtime->python.entered));
	return entered ? context : context | SONDE_PYTHON_OWN;
}

/* Number of the thread that is mounted, 0 = not known. System V ABI: the vector of thread-local
 * modules is at 8 from the thread pointer, two words for each. */
static __always_inline __u64 sonde_java_thread(const struct sonde_runtime *runtime)
{
	__u64 module, vector, block, thread;

	if (runtime->java.vthread_id == SONDE_NOWHERE || !runtime->base)
		return 0;
	module = sonde_word(runtime->base);
	if (!module || module > 4096)
		return 0;
	vector = sonde_word(SONDE_THREAD_POINTER(sonde_current()) + 8);
	block = sonde_word(vector + module * 16);
	if (block < 4096 || block == ~0ULL)
		return 0; /* this thread has not used the module yet */
	thread = sonde_word(block + (__s64)runtime->java.thread);
	return thread ? sonde_word(thread + (__s64)runtime->java.vthread_id) : 0;
}

static __always_inline __u64 sonde_tokio_current(const struct sonde_tokio_layout *tokio)
{
	return sonde_word(SONDE_THREAD_POINTER(sonde_current()) + (__s64)tokio->task);
}

static __always_inline __u64 sonde_haproxy_current(const struct sonde_haproxy_layout *haproxy)
{
	__u64 pointer = SONDE_THREAD_POINTER(sonde_current());
	__u64 thread = sonde_word(pointer + (__s64)haproxy->thread);

	return thread ? sonde_word(thread + (__s64)haproxy->current) : 0;
}

/* The numbers are doubles, all of them whole and positive: 2^53 at most. */
static __always_inline __u64 sonde_whole(__u64 bits)
{
	__u32 exponent = bits >> 52 & 0x7ff;
	__u64 mantissa = (bits & ((1ULL << 52) - 1)) | 1ULL << 52;

	if (bits >> 63 || exponent < 1023 || exponent > 1023 + 52)
		return 0;
	return mantissa >> (52 - (exponent - 1023));
}

#endif
