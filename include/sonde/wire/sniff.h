/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Says from the first bytes of a record whether a message begins there. Pure, bounded, the same
 * code in the kernel and in userspace. Looks at 16 bytes given as two little-endian words;
 * understands nothing beyond them.
 */
#ifndef SONDE_WIRE_SNIFF_H
#define SONDE_WIRE_SNIFF_H

#include <sonde/wire/wire.h>

/* NOLINTBEGIN: plain C, compiled on both sides of the kernel boundary */

enum sonde_sniff {
	SONDE_SNIFF_NONE = 0,
	SONDE_SNIFF_MAYBE = 1,    /* fewer than 8 bytes, and all of them fit a beginning below */
	SONDE_SNIFF_REQUEST = 2,  /* HTTP/1 request of a known method */
	SONDE_SNIFF_RESPONSE = 3, /* HTTP/1 status line */
	SONDE_SNIFF_INTERIM = 4,  /* HTTP/1 status line of class 1xx */
	SONDE_SNIFF_TOKEN =
	    5, /* only asked for on an HTTP/1 socket: could be a request of an unknown method */
	SONDE_SNIFF_TLS = 6,   /* ClientHello or ServerHello */
	SONDE_SNIFF_HTTP2 = 7, /* connection preface */
};

#define SONDE_WORD(a, b, c, d, e, f, g, h)                                                         \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |   \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

/* 2: `word` begins with the `size` bytes of `text`; 1: it may, when more bytes come; 0: no. */
static inline __u32 sonde_begins(__u64 word, __u32 count, __u64 text, __u32 size)
{
	if ((word ^ text) & sonde_byte_mask(count < size ? count : size))
		return 0;
	return count >= size ? 2 : 1;
}

struct sonde_method {
	__u64 text;
	__u32 size; /* up to and with the space, at most 8 */
	__u32 reserved;
};

/* Methods of RFC 9110, 5789, 4918, 3253, 3744, 4791, 5323, 5842 and what servers and proxies use
 * besides. */
#define SONDE_METHOD_COUNT 29

/*
 * No method with its space begins another, so the first that fits decides. One branch a step keeps
 * the verifier's paths few. Other text protocols use the same verbs (NATS, RTSP, SIP, mail): where
 * the first character of the target is within the 8 bytes it must be '/', '*' or the 'h' of an
 * absolute URL.
 */
static inline __u32 sonde_sniff_request(__u64 word, __u32 count)
{
	/* the most frequent first */
	static const struct sonde_method methods[SONDE_METHOD_COUNT] = {
	    {SONDE_WORD('G', 'E', 'T', ' ', 0, 0, 0, 0), 4, 0},
	    {SONDE_WORD('P', 'O', 'S', 'T', ' ', 0, 0, 0), 5, 0},
	    {SONDE_WORD('P', 'U', 'T', ' ', 0, 0, 0, 0), 4, 0},
	    {SONDE_WORD('H', 'E', 'A', 'D', ' ', 0, 0, 0), 5, 0},
	    {SONDE_WORD('D', 'E', 'L', 'E', 'T', 'E', ' ', 0), 7, 0},
	    {SONDE_WORD('P', 'A', 'T', 'C', 'H', ' ', 0, 0), 6, 0},
	    {SONDE_WORD('O', 'P', 'T', 'I', 'O', 'N', 'S', ' '), 8, 0},
	    {SONDE_WORD('T', 'R', 'A', 'C', 'E', ' ', 0, 0), 6, 0},
	    {SONDE_WORD('P', 'R', 'O', 'P', 'F', 'I', 'N', 'D'), 8, 0},
	    {SONDE_WORD('P', 'R', 'O', 'P', 'P', 'A', 'T', 'C'), 8, 0},
	    {SONDE_WORD('M', 'K', 'C', 'O', 'L', ' ', 0, 0), 6, 0},
	    {SONDE_WORD('M', 'K', 'C', 'A', 'L', 'E', 'N', 'D'), 8, 0},
	    {SONDE_WORD('M', 'K', 'A', 'C', 'T', 'I', 'V', 'I'), 8, 0},
	    {SONDE_WORD('C', 'O', 'P', 'Y', ' ', 0, 0, 0), 5, 0},
	    {SONDE_WORD('M', 'O', 'V', 'E', ' ', 0, 0, 0), 5, 0},
	    {SONDE_WORD('L', 'O', 'C', 'K', ' ', 0, 0, 0), 5, 0},
	    {SONDE_WORD('U', 'N', 'L', 'O', 'C', 'K', ' ', 0), 7, 0},
	    {SONDE_WORD('S', 'E', 'A', 'R', 'C', 'H', ' ', 0), 7, 0},
	    {SONDE_WORD('R', 'E', 'P', 'O', 'R', 'T', ' ', 0), 7, 0},
	    {SONDE_WORD('C', 'H', 'E', 'C', 'K', 'O', 'U', 'T'), 8, 0},
	    {SONDE_WORD('M', 'E', 'R', 'G', 'E', ' ', 0, 0), 6, 0},
	    {SONDE_WORD('A', 'C', 'L', ' ', 0, 0, 0, 0), 4, 0},
	    {SONDE_WORD('B', 'I', 'N', 'D', ' ', 0, 0, 0), 5, 0},
	    {SONDE_WORD('U', 'N', 'B', 'I', 'N', 'D', ' ', 0), 7, 0},
	    {SONDE_WORD('L', 'I', 'N', 'K', ' ', 0, 0, 0), 5, 0},
	    {SONDE_WORD('U', 'N', 'L', 'I', 'N', 'K', ' ', 0), 7, 0},
	    {SONDE_WORD('V', 'E', 'R', 'S', 'I', 'O', 'N', '-'), 8, 0},
	    {SONDE_WORD('Q', 'U', 'E', 'R', 'Y', ' ', 0, 0), 6, 0},
	    {SONDE_WORD('P', 'U', 'R', 'G', 'E', ' ', 0, 0), 6, 0},
	};
	__u64 valid = sonde_byte_mask(count);
	__u32 size = 0;
	__u32 i, target;

	for (i = 0; i < SONDE_METHOD_COUNT; i++) {
		__u64 compared = valid & ~0ULL >> ((64 - methods[i].size * 8) & 63);

		if (!((word ^ methods[i].text) & compared)) {
			size = methods[i].size;
			break;
		}
	}
	if (!size)
		return SONDE_SNIFF_NONE;
	if (count < 8 && count <= size)
		return SONDE_SNIFF_MAYBE;
	target = sonde_byte_at(word, size);
	if (size < 8 && target != '/' && target != '*' && target != 'h' && target != 'H')
		return SONDE_SNIFF_NONE;
	return SONDE_SNIFF_REQUEST;
}

/* The first 8 bytes of a request for a tunnel. */
#define SONDE_CONNECT SONDE_WORD('C', 'O', 'N', 'N', 'E', 'C', 'T', ' ')

/* CONNECT takes an authority: a name, an address or '['; NATS says CONNECT {...}, STOMP CONNECT and
 * a line end. */
static inline __u32 sonde_sniff_connect(__u64 word, __u32 count, __u64 next, __u32 total)
{
	__u32 fits = sonde_begins(word, count, SONDE_CONNECT, 8);
	__u32 first;

	if (fits != 2)
		return fits ? SONDE_SNIFF_MAYBE : SONDE_SNIFF_NONE;
	first = sonde_byte_at(next, 0);
	if (total > 8 && (first < '-' || first > 'z'))
		return SONDE_SNIFF_NONE;
	return SONDE_SNIFF_REQUEST;
}

/* RFC 9112 section 4: HTTP-version SP 3DIGIT. Byte 9 is the class of the status. */
static inline __u32 sonde_sniff_response(__u64 word, __u32 count, __u64 next, __u32 total)
{
	__u32 fits = sonde_begins(word, count, SONDE_WORD('H', 'T', 'T', 'P', '/', '1', '.', 0), 7);

	if (fits != 2)
		return fits ? SONDE_SNIFF_MAYBE : SONDE_SNIFF_NONE;
	return total > 9 && sonde_byte_at(next, 1) == '1' ? SONDE_SNIFF_INTERIM
							  : SONDE_SNIFF_RESPONSE;
}

/* RFC 8446 section 5.1: type 22, version 3.x, 2 bytes of length, then handshake type 1 or 2. */
static inline __u32 sonde_sniff_tls(__u64 word, __u32 count)
{
	__u32 handshake = sonde_byte_at(word, 5);

	if (count < 2)
		return SONDE_SNIFF_MAYBE;
	if (sonde_byte_at(word, 1) != 3)
		return SONDE_SNIFF_NONE;
	if (count < 6)
		return SONDE_SNIFF_MAYBE;
	return handshake == 1 || handshake == 2 ? SONDE_SNIFF_TLS : SONDE_SNIFF_NONE;
}

/* Three or more of A-Z and '-', then a space within the first 16 bytes or no end of the token in
 * them. */
static inline __u32 sonde_sniff_token(__u64 word, __u64 next, __u32 total)
{
	__u32 i;

	for (i = 0; i < 16; i++) {
		__u32 c = sonde_byte_at(i < 8 ? word : next, i);

		if (i >= total)
			return SONDE_SNIFF_MAYBE;
		if (c == ' ')
			return i >= 3 ? SONDE_SNIFF_TOKEN : SONDE_SNIFF_NONE;
		if ((c < 'A' || c > 'Z') && c != '-')
			return SONDE_SNIFF_NONE;
	}
	return SONDE_SNIFF_TOKEN;
}

/*
 * `total` (0..16) says how many bytes of the two words are valid. `liberal`: the socket is known to
 * speak HTTP/1, so an unknown upper-case token counts as a request.
 */
SONDE_WIRE_FUNCTION __u32 sonde_sniff_start(__u64 word, __u64 next, __u32 total, __u32 liberal)
{
	__u32 count = total < 8 ? total : 8;
	__u32 first = sonde_byte_at(word, 0);
	__u32 kind;

	if (!total)
		return SONDE_SNIFF_NONE;
	if (first == 0x16)
		return sonde_sniff_tls(word, count);
	if (first < 'A' || first > 'Z')
		return SONDE_SNIFF_NONE;
	kind = sonde_sniff_response(word, count, next, total);
	if (kind == SONDE_SNIFF_NONE)
		kind = sonde_sniff_request(word, count);
	if (kind == SONDE_SNIFF_NONE)
		kind = sonde_sniff_connect(word, count, next, total);
	if (kind == SONDE_SNIFF_NONE) {
		__u32 fits = sonde_begins(word, count,
					  SONDE_WORD('P', 'R', 'I', ' ', '*', ' ', 'H', 'T'), 8);

		if (fits)
			return fits == 2 ? SONDE_SNIFF_HTTP2 : SONDE_SNIFF_MAYBE;
	}
	if (kind == SONDE_SNIFF_NONE && liberal)
		kind = sonde_sniff_token(word, next, total);
	return kind;
}

/* NOLINTEND */

#endif
