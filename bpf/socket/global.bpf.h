/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Functions with many paths that work on the scratch record, or on it and the state of its socket,
 * and take up to three numbers more. They are global, so that the verifier proves them once,
 * whatever calls them; to it the pointers may be null.
 *
 *	SONDE_OF_SOCKET(int, sonde_example, from, count)
 *	{
 *		if (!scratch || !socket) ...
 *	}
 *	... sonde_example(scratch, socket, 1, 2);
 */
#ifndef SONDE_BPF_GLOBAL_H
#define SONDE_BPF_GLOBAL_H

#include "core/sonde.bpf.h"
#include "maps/drops.bpf.h"
#include "maps/scratch.bpf.h"
#include "maps/sockets.bpf.h"

#define SONDE_NUMBERS0()
#define SONDE_NUMBERS1(a)       , __u32 a
#define SONDE_NUMBERS2(a, b)    , __u32 a, __u32 b
#define SONDE_NUMBERS3(a, b, c) , __u32 a, __u32 b, __u32 c
#define SONDE_NUMBERS(...)      ___apply(SONDE_NUMBERS, ___narg(__VA_ARGS__))(__VA_ARGS__)

#ifdef SONDE_BASE_KERNEL

static __always_inline const struct sonde_first_bytes *sonde_first_again(void)
{
	struct sonde_scratch *scratch = sonde_scratch_get();

	return scratch ? (const struct sonde_first_bytes *)scratch->payload : 0;
}

static __always_inline struct sonde_socket *sonde_socket_again(__u64 key)
{
	struct sonde_socket *socket = bpf_map_lookup_elem(&sonde_sockets, &key);

	if (!socket)
		sonde_drop(SONDE_DROP_SOCKET_STATE_FULL); /* made room for another since */
	return socket;
}

#define SONDE_OF_SCRATCH(type, name, a, b, c)                                                      \
	static __always_inline type name##_of(struct sonde_scratch *scratch, __u32 a, __u32 b,     \
					      __u32 c);                                            \
	__noinline type name##_global(__u32 a, __u32 b, __u32 c)                                   \
	{                                                                                          \
		return name##_of(sonde_scratch_get(), a, b, c);                                    \
	}                                                                                          \
	static __always_inline type name(struct sonde_scratch *scratch, __u32 a, __u32 b, __u32 c) \
	{                                                                                          \
		return name##_global(a, b, c);                                                     \
	}                                                                                          \
	static __always_inline type name##_of(struct sonde_scratch *scratch, __u32 a, __u32 b,     \
					      __u32 c)

#define SONDE_OF_SOCKET(type, name, ...)                                                           \
	static __always_inline type name##_of(                                                     \
	    struct sonde_scratch *scratch,                                                         \
	    struct sonde_socket *socket SONDE_NUMBERS(__VA_ARGS__));                               \
	__noinline type name##_global(__u64 key SONDE_NUMBERS(__VA_ARGS__))                        \
	{                                                                                          \
		return name##_of(sonde_scratch_get(), sonde_socket_again(key), ##__VA_ARGS__);     \
	}                                                                                          \
	static __always_inline type name(struct sonde_scratch *scratch,                            \
					 struct sonde_socket *socket SONDE_NUMBERS(__VA_ARGS__))   \
	{                                                                                          \
		return name##_global(scratch->sk, ##__VA_ARGS__);                                  \
	}                                                                                          \
	static __always_inline type name##_of(                                                     \
	    struct sonde_scratch *scratch, struct sonde_socket *socket SONDE_NUMBERS(__VA_ARGS__))

/* Where pointers can be handed over, a smaller function is the global one. */
#define SONDE_OF_SOCKET_BASE SONDE_OF_SOCKET

#else

#define SONDE_OF_SOCKET_BASE(type, name, ...)                                                      \
	static __always_inline type name(struct sonde_scratch *scratch,                            \
					 struct sonde_socket *socket SONDE_NUMBERS(__VA_ARGS__))

#define SONDE_OF_SCRATCH(type, name, a, b, c)                                                      \
	__noinline type name(struct sonde_scratch *scratch, __u32 a, __u32 b, __u32 c)

#define SONDE_OF_SOCKET(type, name, ...)                                                           \
	__noinline type name(struct sonde_scratch *scratch,                                        \
			     struct sonde_socket *socket SONDE_NUMBERS(__VA_ARGS__))

#endif

#endif
