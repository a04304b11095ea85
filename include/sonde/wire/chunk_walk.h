/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Follows the size lines of a chunked body (RFC 9112 section 7.1) over bytes that are not copied,
 * so that the lines themselves are. Started behind every head: what does not look like a size line
 * ends the walk, so a body that is not chunked costs one look. Decides what is copied and nothing
 * else; the parser in userspace has the last word.
 */
#ifndef SONDE_WIRE_CHUNK_WALK_H
#define SONDE_WIRE_CHUNK_WALK_H

#include <sonde/wire/wire.h>

/* NOLINTBEGIN: plain C, compiled on both sides of the kernel boundary */

enum sonde_chunk_state {
	SONDE_CHUNK_OFF = 0,
	SONDE_CHUNK_START = 1,     /* the line end behind the chunk before, or the first digit */
	SONDE_CHUNK_DIGITS = 2,    /* within the size */
	SONDE_CHUNK_EXTENSION = 3, /* behind the size, before the LF */
};

#define SONDE_CHUNK_MAX_DIGITS 8

struct sonde_chunk_walk {
	__u64 until; /* bytes before the next one that matters: counted from the start of the next
			record */
	__u32 value; /* of the digits so far */
	__u8 state;  /* enum sonde_chunk_state */
	__u8 digits;
	__u8 reserved[2];
};

/* Bytes looked at in one step: a line end, a size and a short extension. */
struct sonde_chunk_bytes {
	__u8 bytes[SONDE_CHUNK_LINE];
};

/* Of a hexadecimal digit; 16 for any other byte. */
static inline __u32 sonde_hex_value(__u32 byte)
{
	__u32 letter = (byte | 0x20) - 'a';

	if (byte - '0' < 10)
		return byte - '0';
	return letter < 6 ? letter + 10 : 16;
}

/* A body may begin after `until` more bytes. */
static inline void sonde_chunk_begin(struct sonde_chunk_walk *walk, __u64 until)
{
	walk->until = until;
	walk->value = 0;
	walk->digits = 0;
	walk->state = SONDE_CHUNK_START;
}

/* `length` bytes went by unlooked at. */
static inline void sonde_chunk_pass(struct sonde_chunk_walk *walk, __u32 length)
{
	if (walk->until < length)
		walk->state = SONDE_CHUNK_OFF;
	else
		walk->until -= length;
}

/*
 * Reads up to `count` bytes of a line. Returns how many belong to it: fewer than `count` when its
 * LF was found (then `until` says how many bytes of the chunk follow) or when the walk is over
 * (state OFF: no size line, or the last chunk).
 */
SONDE_WIRE_FUNCTION __u32 sonde_chunk_line(struct sonde_chunk_walk *walk,
					   const struct sonde_chunk_bytes *line, __u32 count)
{
	__u32 state, value, digits, i;

	if (!walk || !line)
		return 0;
	state = walk->state;
	value = walk->value;
	digits = walk->digits;
	walk->until = 0;
	for (i = 0; i < SONDE_CHUNK_LINE && i < count; i++) {
		__u32 byte = line->bytes[i];
		__u32 digit = sonde_hex_value(byte);

		if (byte == '\n' && state >= SONDE_CHUNK_DIGITS) {
			sonde_chunk_begin(walk, value);
			if (!value)
				walk->state = SONDE_CHUNK_OFF;
			return i + 1;
		}
		if (state == SONDE_CHUNK_EXTENSION ||
		    (state == SONDE_CHUNK_START && (byte == '\r' || byte == '\n')))
			continue;
		if (digit < 16 && digits < SONDE_CHUNK_MAX_DIGITS) {
			value = value << 4 | digit;
			digits++;
			state = SONDE_CHUNK_DIGITS;
		} else if (state == SONDE_CHUNK_DIGITS && digit >= 16 &&
			   (byte == '\r' || byte == ';' || byte == ' ' || byte == '\t')) {
			state = SONDE_CHUNK_EXTENSION;
		} else {
			walk->state = SONDE_CHUNK_OFF;
			return i;
		}
	}
	walk->value = value;
	walk->digits = (__u8)digits;
	walk->state = (__u8)state;
	return i;
}

/* NOLINTEND */

#endif
