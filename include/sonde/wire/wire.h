/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the wire headers share: loads, masks, and how a function is compiled on either side. */
#ifndef SONDE_WIRE_WIRE_H
#define SONDE_WIRE_WIRE_H

#include <linux/types.h>
#include <sonde/wire/capture_limits.h>

/* NOLINTBEGIN: plain C, compiled on both sides of the kernel boundary */

/*
 * A function with many paths: in the kernel a global one, which the verifier proves once for any
 * argument instead of once per way to call it. It may then take numbers and pointers to structs
 * only.
 */
#ifndef __bpf__
#define SONDE_WIRE_FUNCTION static inline
#elif defined(SONDE_BASE_KERNEL) /* such a function takes no pointers: bpf/core/base.bpf.h */
#define SONDE_WIRE_FUNCTION static __attribute__((noinline, unused))
#else
#define SONDE_WIRE_FUNCTION __attribute__((noinline))
#endif

/* Such a function of a call's first bytes and three numbers. */
#ifndef SONDE_WIRE_OF_FIRST
#define SONDE_WIRE_OF_FIRST(type, name, a, b, c)                                                   \
	SONDE_WIRE_FUNCTION type name(const struct sonde_first_bytes *first, __u32 a, __u32 b,     \
				      __u32 c)
#endif

/* Keeps the compiler from working on another copy of a value than the one whose bounds are tested
 * next. */
#define SONDE_HIDE(value) __asm__ volatile("" : "+r"(value))

/* The first bytes of a call; readable past the valid ones, so that words can be loaded without a
 * test. */
struct sonde_first_bytes {
	__u8 bytes[SONDE_HEAD_SCAN + 64];
} __attribute__((aligned(8)));

static inline __u32 sonde_min(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/* Low `count` bytes set; count <= 8. */
static inline __u64 sonde_byte_mask(__u32 count)
{
	return count >= 8 ? ~0ULL : (1ULL << (count * 8)) - 1;
}

static inline __u32 sonde_byte_at(__u64 word, __u32 index)
{
	return (__u32)(word >> ((index & 7) * 8)) & 0xff;
}

/* `offset` is a multiple of 8 ... */
static inline __u64 sonde_load_aligned(const struct sonde_first_bytes *first, __u32 offset)
{
	__u64 word;

	__builtin_memcpy(&word, __builtin_assume_aligned(first->bytes + offset, 8), 8);
	return word;
}

/* ... or any. */
static inline __u64 sonde_load(const struct sonde_first_bytes *first, __u32 offset)
{
	__u64 word;

	__builtin_memcpy(&word, first->bytes + offset, 8);
	return word;
}

/* NOLINTEND */

#endif
