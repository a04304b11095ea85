/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a language runtime, or a program like one, keeps in its own memory about who is at work:
 * where the kernel side finds the goroutine, the Python context, the async ids of Node, the virtual
 * thread, the tokio task, the task of HAProxy that a thread runs. Found per binary by
 * probes/runtime, read by bpf/runtime; offsets are bytes. Nothing is ever written to the process.
 */
#ifndef SONDE_ABI_RUNTIME_H
#define SONDE_ABI_RUNTIME_H

#include <linux/types.h>

#include <sonde/abi/tls.h>

enum sonde_runtime_kind {
	SONDE_RUNTIME_NONE = 0, /* only the thread is known */
	SONDE_RUNTIME_GO = 1,
	SONDE_RUNTIME_PYTHON = 2,
	SONDE_RUNTIME_NODE = 3,
	SONDE_RUNTIME_JAVA = 4, /* hotspot */
	SONDE_RUNTIME_TOKIO = 5,
	SONDE_RUNTIME_HAPROXY = 6,
	SONDE_RUNTIME_OTHER = 7, /* its threads work for whoever is runnable; not read */
	SONDE_RUNTIME_RUBY = 8,  /* its threads are the system's */
	SONDE_RUNTIME_COUNT
};

/*
 * Go. The thread's g is at `g` from the thread pointer (x86-64: fs base). On the scheduler's own
 * stack it has no number; the goroutine at work is then [[it + m] + current].
 */
struct sonde_go_layout {
	__s32 g;
	__s32 goid;        /* in runtime.g: its number */
	__s32 parent_goid; /* number of the goroutine that made it; SONDE_NOWHERE before Go 1.21 */
	__s32 waiting;     /* list of sudogs it waits on (select, channel) */
	__s32 sudog_goroutine;   /* in runtime.sudog: who waits */
	__s32 sudog_next;        /* next in the channel's queue */
	__s32 sudog_waitlink;    /* next of the same goroutine */
	__s32 sudog_channel;     /* the channel (a plain pointer to hchan) */
	__s32 channel_receivers; /* in runtime.hchan: recvq.first */
	__s32 m;                 /* in runtime.g: its thread */
	__s32 current;           /* in runtime.m: curg */
};

/*
 * CPython. `base` is the address of _PyRuntime. [base + interpreter] is the main interpreter,
 * [that + threads] its first thread state, linked by `next`. A thread state is the caller's if the
 * number at `native_id` is its thread number; where there is no such field (up to 3.10,
 * SONDE_NOWHERE) if the 8 bytes at `thread_id` are its thread pointer. `context`: the Context
 * object, may be null; the byte at `entered` in it is not 0 while Context.run is in it. `stack`:
 * the newest chunk of its data stack, each of which begins with the address of the one before;
 * SONDE_NOWHERE if it is not known, or has none (up to 3.10).
 *
 * Its execution ids are addresses, whose lowest bits say of what.
 */
#define SONDE_PYTHON_OWN 1 /* a Context that no Context.run is in */
#define SONDE_PYTHON_STACK                                                                         \
	2 /* a data stack's first chunk: the thread, or greenlet, has no Context */

struct sonde_python_layout {
	__s32 interpreter;
	__s32 threads;
	__s32 next;
	__s32 native_id;
	__s32 thread_id;
	__s32 context;
	__s32 entered;
	__s32 stack;
};

/*
 * Node. The AsyncHooks object of an environment is met in a probe once
 * (SONDE_RUNTIME_NODE_HOOKS); [it + id_fields] leads to double[4]: execution id, trigger id,
 * counter of ids, default trigger. Written by the kernel side: `reading`, the connection whose
 * bytes began the main thread's turn, 0 = something else did; `stream`, the one of HTTP/2 that was
 * told last in this turn.
 */
struct sonde_node_layout {
	__s32 id_fields;
	__u32 stream;
	__u64 reading;
};

/*
 * hotspot. `base` is the address of the two words (module, offset) in libjvm's GOT that name the
 * thread-local Thread::_thr_current; [dtv[module] + thread] is the JavaThread, `vthread_id` in it
 * the number of the thread that is mounted, which for a platform thread is its own. SONDE_NOWHERE:
 * this JVM has no virtual threads, or it is not known where.
 */
struct sonde_java_layout {
	__s32 thread;
	__s32 vthread_id;
};

/*
 * tokio. The current task's id is at `task` from the thread pointer, 8 bytes, 0 = none. A task's
 * header leads to its id: [header + vtable] is the vtable, the 8 bytes at `id_offset` in that say
 * where in the header's allocation the id is.
 */
struct sonde_tokio_layout {
	__s32 task;
	__s32 vtable;
	__s32 id_offset;
};

/*
 * HAProxy. At `thread` from the thread pointer is a pointer to what its scheduler knows of the
 * thread, and at `current` in that a pointer to the task or tasklet that runs; null = none.
 */
struct sonde_haproxy_layout {
	__s32 thread;
	__s32 current;
};

struct sonde_runtime {
	__u64 base;   /* address in the process; 0 = the layout needs none */
	__u32 kind;   /* enum sonde_runtime_kind */
	__u32 unread; /* 1: which runtime it is, is all that is known */
	union {
		struct sonde_go_layout go;
		struct sonde_python_layout python;
		struct sonde_node_layout node;
		struct sonde_java_layout java;
		struct sonde_tokio_layout tokio;
		struct sonde_haproxy_layout haproxy;
		__s32 words[12];
	};
};

/* What a probed instruction of a runtime says. */
enum sonde_runtime_event {
	SONDE_RUNTIME_PYTHON_COPIED =
	    1, /* a Context was copied from the current one; subject: the copy */
	SONDE_RUNTIME_NODE_HOOKS = 2, /* subject: an AsyncHooks object */
	SONDE_RUNTIME_GO_READY = 3,   /* subject: the g that is made runnable by the current one */
	SONDE_RUNTIME_JAVA_UNPARKED = 4, /* subject: the Parker that is woken */
	SONDE_RUNTIME_JAVA_PARKS = 5,    /* subject: the Parker of the current thread */
	SONDE_RUNTIME_TOKIO_WOKEN = 6,   /* by reference; subject: the header of the task */
	SONDE_RUNTIME_TOKIO_WOKEN_BY_VALUE = 7,
	SONDE_RUNTIME_TOKIO_BORN = 8, /* subject: the header of the new task */
	/* Timers, immediates, or what a thread of the pool has done, begin to run; no subject. */
	SONDE_RUNTIME_NODE_TURN = 9,
	/* An object is put into a queue, or was taken out of one; subject: the object. */
	SONDE_RUNTIME_PYTHON_PUT = 10,
	SONDE_RUNTIME_PYTHON_TAKEN = 11,
	/* Bytes are left for a connection, which the loop sends later; subject: uvloop's UVStream.
	 */
	SONDE_RUNTIME_PYTHON_LEAVES = 12,
	/* grpc-go: the current goroutine, made by the one that reads the connection, begins to
	 * serve a stream; subject: its transport.Stream. */
	SONDE_RUNTIME_GO_GRPC_SERVES = 13,
	/* The same of net/http; subject: the responseWriterState. */
	SONDE_RUNTIME_GO_HTTP2_SERVES = 14,
	/* grpc-go: the current goroutine leaves the headers of its call to the connection's writer;
	 * subject: the headers. */
	SONDE_RUNTIME_GO_GRPC_CALLS = 15,
	/* The current goroutine is that writer, and sends them now; subject: the headers. */
	SONDE_RUNTIME_GO_GRPC_SENDS = 16,
	/* net/http: the current goroutine is about to make one that sends its call; no subject. */
	SONDE_RUNTIME_GO_HTTP2_CALLS = 17,
	/* The current goroutine made one; subject: its g, which has its numbers. */
	SONDE_RUNTIME_GO_MADE = 18,
	/* A task that runs on a thread of its own from its beginning to its end (spawn_blocking);
	 * subject: its header. */
	SONDE_RUNTIME_TOKIO_BLOCKS = 19,
	/* nghttp2 is given what was read; subject: its session, that of the connection. */
	SONDE_RUNTIME_NODE_READS = 20,
	/* A request is given to nghttp2; subject: the session. */
	SONDE_RUNTIME_NODE_CALLS = 21,
	/* The same of a response; its stream is in the register `detail`. */
	SONDE_RUNTIME_NODE_ANSWERS = 22,
	/* What came on a stream is about to be given to JavaScript; subject: the session of
	 * nghttp2. The stream is in the register `detail`, or in the frame that this leads to. */
	SONDE_RUNTIME_NODE_STREAM = 23,
	SONDE_RUNTIME_NODE_FRAME = 24,
};

/* Value of map sonde_runtime_probes: one probed instruction. */
struct sonde_runtime_probe {
	struct sonde_place subject;
	__u32 event; /* enum sonde_runtime_event */
	/* SONDE_RUNTIME_GO_READY: the reasons to wait that mean a receive from a channel, and a
	 * select
	 * (<< 8). SONDE_RUNTIME_GO_GRPC_*, _NODE_CALLS: where in the subject the number of the
	 * stream is. Other _NODE_*: see there. */
	__u32 detail;
	struct sonde_runtime runtime; /* of the file; base 0 */
};

/* Key and value of map sonde_parkers: whose a Parker of hotspot is. */
struct sonde_parker_key {
	__u64 parker; /* its address in the process */
	__u32 tgid;
	__u32 reserved;
};

struct sonde_parker {
	__u32 tid;
	__u32 woken; /* 1: it was told that the thread is woken by others */
};

#define SONDE_RUNTIME_BYTES       64
#define SONDE_RUNTIME_PROBE_BYTES 80
#define SONDE_PARKER_KEY_BYTES    16
#define SONDE_PARKER_BYTES        8

#endif
