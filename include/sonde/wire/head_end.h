/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the empty line that ends a message head: CR LF CR LF, LF LF or any mix (RFC 9112
 * section 2.2 lets a bare LF end a line). Eight bytes a step without branches on data, because it
 * runs in the kernel on the road of a request.
 */
#ifndef SONDE_WIRE_HEAD_END_H
#define SONDE_WIRE_HEAD_END_H

#include <sonde/wire/wire.h>

/* NOLINTBEGIN: plain C, compiled on both sides of the kernel boundary */

#define SONDE_ONES  0x0101010101010101ULL
#define SONDE_LOWS  0x7f7f7f7f7f7f7f7fULL
#define SONDE_HIGHS 0x8080808080808080ULL

/* What the bytes before ended with; kept from one record to the next. */
enum sonde_head_carry {
	SONDE_CARRY_NONE = 0,
	SONDE_CARRY_LF = 1,
	SONDE_CARRY_LF_CR = 2,
};

/* Bit 7 of each byte of `word` that equals `byte`; exact, no carry from byte to byte. */
static inline __u64 sonde_equal_bytes(__u64 word, __u64 byte)
{
	__u64 x = word ^ (byte * SONDE_ONES);

	return ~(((x & SONDE_LOWS) + SONDE_LOWS) | x | SONDE_LOWS);
}

/*
 * Number, from 1, of the lowest byte whose bit 7 is set; `bits` has only such bits and is not 0.
 * BPF has no instruction for it: the ones below that bit reach into as many bytes, whose lowest
 * bits are summed by a multiplication.
 */
static inline __u32 sonde_lowest_byte(__u64 bits)
{
	__u64 below = (bits & -bits) - 1;

	return (__u32)((below & SONDE_ONES) * SONDE_ONES >> 56);
}

/*
 * One word of which the low `count` bytes (1..8) are valid. Returns 0, or the number of bytes up to
 * and with the LF that ends the head. The carry is made without branches, so that the verifier sees
 * one path.
 */
static inline __u32 sonde_head_end_step(__u64 word, __u32 count, __u32 *carry)
{
	__u64 valid = ~0ULL >> ((64 - count * 8) & 63);
	__u64 lf = sonde_equal_bytes(word, '\n') & valid;
	__u64 after_lf = lf << 8 | (*carry & SONDE_CARRY_LF) << 7;
	__u64 lf_cr = sonde_equal_bytes(word, '\r') & after_lf & valid;
	__u64 after_lf_cr = lf_cr << 8 | (*carry & SONDE_CARRY_LF_CR) << 6;
	__u64 ends = lf & (after_lf | after_lf_cr);
	__u32 top = (count * 8 - 1) & 63;

	*carry = (__u32)(lf >> top & 1) | (__u32)(lf_cr >> top & 1) << 1;
	return ends ? sonde_lowest_byte(ends) : 0;
}

/* Bytes per block; a function of its own, so that the verifier proves a block once and not all of
 * them. */
#define SONDE_HEAD_BLOCK 64

/*
 * Looks at bytes [offset, count), at most one block; `offset` is a multiple of the block. Returns
 * the offset just past the head in the low 16 bits, 0 if it is not there, and the new carry above
 * them.
 */
SONDE_WIRE_OF_FIRST(__u32, sonde_head_end_block, offset, count, carry)
{
	__u32 i, end, left = 0;

	if (!first)
		return 0;
	for (i = 0; i < SONDE_HEAD_BLOCK / 8; i++) {
		__u64 word, x;

		left = count - offset;
		SONDE_HIDE(offset);
		if (left < 8 || offset >= SONDE_HEAD_SCAN)
			break;
		word = sonde_load_aligned(first, offset);
		offset += 8;
		/* Most words hold no LF: the inexact test may say yes in vain, never no. */
		x = word ^ ('\n' * SONDE_ONES);
		if (!((x - SONDE_ONES) & ~x & SONDE_HIGHS)) {
			carry = SONDE_CARRY_NONE;
			continue;
		}
		end = sonde_head_end_step(word, 8, &carry);
		if (end)
			return offset - 8 + end;
	}
	end = 0;
	if (left && left < 8 && offset < SONDE_HEAD_SCAN)
		end = sonde_head_end_step(sonde_load_aligned(first, offset), left, &carry);
	return carry << 16 | (end ? offset + end : 0);
}

/* Looks at `count` bytes, at most SONDE_HEAD_SCAN. Returns 0, or the offset just past the head. */
static inline __u32 sonde_head_end(const struct sonde_first_bytes *first, __u32 count, __u32 *carry)
{
	__u32 offset;

	for (offset = 0; offset < SONDE_HEAD_SCAN && offset < count; offset += SONDE_HEAD_BLOCK) {
		__u32 result;

		SONDE_HIDE(offset); /* or both limits become one, which verifiers before 6.3 lose */
		result = sonde_head_end_block(first, offset, count, *carry);

		*carry = result >> 16;
		if (result & 0xffff)
			return result & 0xffff;
	}
	return 0;
}

/* NOLINTEND */

#endif
