/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Follows the frames of HTTP/2 (RFC 9113 section 4.1) by their lengths, so that headers and header
 * blocks are copied and DATA is not. Decides what is copied and nothing else; the parser in
 * userspace has the last word.
 */
#ifndef SONDE_WIRE_FRAME_WALK_H
#define SONDE_WIRE_FRAME_WALK_H

#include <sonde/wire/wire.h>

/* NOLINTBEGIN: plain C, compiled on both sides of the kernel boundary */

enum sonde_frame_state {
	SONDE_FRAMES_SEARCH = 0, /* where frames begin is not known: everything is copied */
	SONDE_FRAMES_WALK = 1,
};

#define SONDE_FRAME_HEADER  9
#define SONDE_PREFACE_BYTES 24

/* Copied of DATA: the pad length, and the prefix of a gRPC message. */
#define SONDE_DATA_BYTES 6

/* The highest frame type in use (RFC 9218). */
#define SONDE_FRAME_TYPES 0x10

struct sonde_frame_walk {
	__u64 until; /* bytes before the next frame header */
	__u32 copy;  /* so many of them are wanted */
	__u32 first; /* first four bytes of a header that was cut: length and type */
	__u8 have;   /* bytes of that header, 0..8 */
	__u8 state;  /* enum sonde_frame_state */
	__u8 reserved[6];
};

/* Bytes looked at in one step. */
struct sonde_frame_bytes {
	__u8 bytes[SONDE_FRAME_HEADER];
};

/* A frame may begin after `until` more bytes, of which `copy` are wanted. */
static inline void sonde_frame_begin(struct sonde_frame_walk *walk, __u64 until, __u32 copy)
{
	walk->until = until;
	walk->copy = copy;
	walk->first = 0;
	walk->have = 0;
	walk->state = SONDE_FRAMES_WALK;
}

/* `length` bytes go by that are no part of a frame header: at most `until`. */
static inline void sonde_frame_skip(struct sonde_frame_walk *walk, __u32 length)
{
	walk->until -= length;
	walk->copy -= sonde_min(walk->copy, length);
}

/* `length` bytes went by unlooked at. */
static inline void sonde_frame_pass(struct sonde_frame_walk *walk, __u32 length)
{
	if (walk->until < length)
		walk->state = SONDE_FRAMES_SEARCH;
	else
		sonde_frame_skip(walk, length);
}

/*
 * Reads up to `count` bytes of a frame header. Returns how many belong to it; `until` and `copy`
 * are set when it is whole.
 */
SONDE_WIRE_FUNCTION __u32 sonde_frame_header(struct sonde_frame_walk *walk,
					     const struct sonde_frame_bytes *header, __u32 count)
{
	__u32 first, have, length, i;

	if (!walk || !header)
		return 0;
	first = walk->first;
	have = walk->have;
	for (i = 0; i < SONDE_FRAME_HEADER && i < count && have < SONDE_FRAME_HEADER; i++) {
		if (have < 4)
			first = first << 8 | header->bytes[i];
		have++;
	}
	if (have < SONDE_FRAME_HEADER) {
		walk->first = first;
		walk->have = (__u8)have;
		return i;
	}
	length = first >> 8;
	sonde_frame_begin(walk, length, sonde_min(length, SONDE_HEAD_BUDGET));
	if ((first & 0xff) == 0)
		walk->copy = sonde_min(length, SONDE_DATA_BYTES);
	if ((first & 0xff) > SONDE_FRAME_TYPES)
		walk->state = SONDE_FRAMES_SEARCH;
	return i;
}

/* Length and type of a header, as its first four bytes say them. */
static inline __u32 sonde_frame_first(__u64 word)
{
	return sonde_byte_at(word, 0) << 24 | sonde_byte_at(word, 1) << 16 |
	       sonde_byte_at(word, 2) << 8 | sonde_byte_at(word, 3);
}

/* Could the header in `word` and its ninth byte be one? Types, lengths and streams must agree. */
static inline __u32 sonde_frame_plausible(__u64 word, __u32 ninth)
{
	__u32 first = sonde_frame_first(word);
	__u32 length = first >> 8;
	__u32 type = first & 0xff;
	__u32 stream = (__u32)(word >> 40) | ninth;

	if (sonde_byte_at(word, 5) & 0x80)
		return 0;
	switch (type) {
	case 0:
	case 1:
	case 9:
		return stream != 0 && (type == 0 || length <= SONDE_HEAD_BUDGET);
	case 3:
		return stream != 0 && length == 4;
	case 4:
		return stream == 0 && length % 6 == 0 && length <= 120;
	case 6:
		return stream == 0 && length == 8;
	case 8:
		return length == 4;
	}
	return 0;
}

/*
 * Does a call of `length` bytes begin with frames beyond doubt? `have` of them are in `first`. The
 * first header must lead to the end of the call or to another header.
 */
static inline __u32 sonde_frames_begin(const struct sonde_first_bytes *first, __u32 have,
				       __u32 length)
{
	__u64 word = sonde_load_aligned(first, 0);
	__u32 next;

	if (have < SONDE_FRAME_HEADER ||
	    !sonde_frame_plausible(word, sonde_byte_at(sonde_load_aligned(first, 8), 0)))
		return 0;
	next = (sonde_frame_first(word) >> 8) + SONDE_FRAME_HEADER;
	if (next == length)
		return 1;
	SONDE_HIDE(next);
	if (next > SONDE_HEAD_SCAN - 16 || next + SONDE_FRAME_HEADER > have)
		return 0;
	return sonde_frame_plausible(sonde_load(first, next),
				     sonde_byte_at(sonde_load(first, next + 1), 7));
}

/* NOLINTEND */

#endif
