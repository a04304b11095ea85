/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What Linux 5.8 to 5.11 lack, in one place. An object for them is the same source compiled with
 * SONDE_BASE_KERNEL (bpf/base): their verifier refuses what it does not know wherever it stands, in
 * code that never runs, too, so that CO-RE cannot choose.
 *
 *   5.11  bpf_get_current_task_btf      the address alone, its fields by probe reads
 *   5.11  storage on tasks              a map by thread (runtime/memory.bpf.h)
 *   5.11  storage on sockets            settings.socket_table, as family sys_exit has it anyway
 *   5.12  atomics that return a value   a read and a write: see sonde_swap, sonde_advance
 *   5.12  global functions of pointers  functions that are verified at each call, with smaller
 *                                       bounds (sonde/wire/capture_limits.h)
 */
#ifndef SONDE_BPF_BASE_H
#define SONDE_BPF_BASE_H

#include "core/kernel_types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#ifdef SONDE_BASE_KERNEL

struct sonde_first_bytes;

/* Global functions take numbers only: what a pointer leads to is looked up again in them. */
static const struct sonde_first_bytes *sonde_first_again(void);

#define SONDE_WIRE_OF_FIRST(type, name, a, b, c)                                                   \
	static __always_inline type name##_of(const struct sonde_first_bytes *first, __u32 a,      \
					      __u32 b, __u32 c);                                   \
	__noinline type name##_global(__u32 a, __u32 b, __u32 c)                                   \
	{                                                                                          \
		return name##_of(sonde_first_again(), a, b, c);                                    \
	}                                                                                          \
	static __always_inline type name(const struct sonde_first_bytes *first, __u32 a, __u32 b,  \
					 __u32 c)                                                  \
	{                                                                                          \
		return name##_global(a, b, c);                                                     \
	}                                                                                          \
	static __always_inline type name##_of(const struct sonde_first_bytes *first, __u32 a,      \
					      __u32 b, __u32 c)

#define sonde_current() ((struct task_struct *)bpf_get_current_task())

/* SONDE_TASK(task, field, field...): task->field->field of what sonde_current() gave. */
#define SONDE_TASK(task, ...) BPF_CORE_READ(task, __VA_ARGS__)

/* Another processor may come between: an OPEN record is said twice, which is harmless. */
static __always_inline __u32 sonde_swap(__u32 *place, __u32 value)
{
	__u32 before = *(volatile __u32 *)place;

	*(volatile __u32 *)place = value;
	return before;
}

/* ... two threads that send on one unix socket at the same moment may get the same position. */
static __always_inline __u64 sonde_advance(__u64 *place, __u64 by)
{
	__u64 before = *(volatile __u64 *)place;

	if (by) /* of 0 the compiler makes another atomic */
		__sync_fetch_and_add(place, by);
	return before;
}

#else

#define sonde_current() bpf_get_current_task_btf()

#define SONDE_TASK(task, ...) ((task)->___arrow(__VA_ARGS__))

/* Puts `value` there; returns what was there before. */
static __always_inline __u32 sonde_swap(__u32 *place, __u32 value)
{
	return __sync_lock_test_and_set(place, value);
}

/* Adds to what is there; returns what was there before. */
static __always_inline __u64 sonde_advance(__u64 *place, __u64 by)
{
	return __sync_fetch_and_add(place, by);
}

#endif

#include <sonde/wire/wire.h>

/* A function that is verified once, whatever calls it, where the kernel can do that. */
#define SONDE_GLOBAL SONDE_WIRE_FUNCTION

#endif
