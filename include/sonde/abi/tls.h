/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a probed instruction of a TLS library is read: where the TLS object, the plain text and its
 * length are when the instruction is reached, and what of the object names its connection. Found
 * per binary by probes/tls, read by bpf/tls; offsets are bytes.
 */
#ifndef SONDE_ABI_TLS_H
#define SONDE_ABI_TLS_H

#include <linux/types.h>

/* General registers by the number that DWARF gives them on x86-64 (System V ABI, figure 3.36). On
 * arm64: x0 to x30 are 0 to 30, the stack pointer is 31. */
enum sonde_register {
	SONDE_REGISTER_AX = 0,
	SONDE_REGISTER_DX = 1,
	SONDE_REGISTER_CX = 2,
	SONDE_REGISTER_BX = 3,
	SONDE_REGISTER_SI = 4,
	SONDE_REGISTER_DI = 5,
	SONDE_REGISTER_BP = 6,
	SONDE_REGISTER_SP = 7,
	SONDE_REGISTER_R8 = 8,
	SONDE_REGISTER_R15 = 15,
	SONDE_REGISTER_COUNT = 16,
};

/* A value: register + offset, or what is in memory there. */
struct sonde_place {
	__u8 from;   /* enum sonde_register, on arm64 the number */
	__u8 memory; /* 1: the 8 bytes at that address are the value */
	__u8 narrow; /* 1: of the value only the low 32 bits count (a C int) */
	__u8 reserved;
	__s32 offset;
};

/* An offset that there is not; one that is not known yet. */
#define SONDE_NOWHERE (-1)
#define SONDE_SOUGHT  (-2)

/* How much of the text was accepted, if that is known only when the call returns. */
enum sonde_returned {
	SONDE_RETURNED_ALL = 0,   /* probed where all of it was moved already, or surely will be */
	SONDE_RETURNED_VALUE = 1, /* the call returns the number of bytes, <= 0 = none */
	SONDE_RETURNED_COUNT = 2, /* the call returns 1, and the number is at the address `count` */
};

/* How the file descriptor is found from the object. */
enum sonde_tls_fd {
	SONDE_TLS_FD_NONE = 0,
	SONDE_TLS_FD_BIO = 1, /* OpenSSL: number in the BIO, if its method is one of descriptors */
	SONDE_TLS_FD_GO = 2,  /* Go: net.Conn -> *net.TCPConn -> *netFD -> Sysfd */
};

/* As far as an object is read at once. */
#define SONDE_TLS_OBJECT_BYTES 512

struct sonde_tls_probe {
	/* Since when every process that uses the file is probed, CLOCK_MONOTONIC; 0 = not yet. What
	 * began before was not seen from its start. */
	__u64 attached_ns;
	struct sonde_place object;
	struct sonde_place text;
	struct sonde_place length;
	struct sonde_place count; /* SONDE_RETURNED_COUNT */
	/* If `has_unless`: nothing moves if this value is not 0 (a peek: the text comes again). */
	struct sonde_place unless;
	/* Client random, 32 bytes: at `random` in the object, or in what the pointer at
	 * `random_pointer` in the object leads to. */
	__s32 random;
	__s32 random_pointer; /* SONDE_NOWHERE: in the object itself */
	/* An int in the object that is not 0 at the server's end: tells the ends apart if one
	 * process has both. */
	__s32 server;
	/* An int in the object that is not 0 while what passes is no text yet: a handshake runs, or
	 * a corked text is kept for later. */
	__s32 handshake;
	/* An int in the object. While it is not 0 (a handshake runs), what a call accepts is known
	 * only when it returns, however short the text is. */
	__s32 unready;
	/* SONDE_TLS_FD_BIO: pointer to the BIO in the object; to the method in the BIO, which
	 * begins with its type; number in the BIO. */
	__s32 bio;
	__s32 bio_method;
	__s32 bio_fd;
	/*
	 * Where the object itself moves (Rust): offset in it of a pointer to what it owns and
	 * keeps, which names it instead of its address. SONDE_NOWHERE: the address does.
	 * SONDE_SOUGHT: it is found in the first object that passes, as the pointer beside which
	 * stands one to a table of methods (Box<dyn Trait>), the first of them in
	 * sonde_tls_methods.
	 */
	__s32 owned;
	__u32 entire;  /* a text of up to so many bytes needs no look at what the call returned */
	__u32 at_most; /* of a longer text only so many bytes are taken by one call; 0 = no limit */
	/* So many bytes of the object hold all the fields that are named here, at most
	 * SONDE_TLS_OBJECT_BYTES; 0 = they are read one by one. */
	__u32 object_bytes;
	__u8 source;    /* enum sonde_source */
	__u8 direction; /* enum sonde_direction, never SONDE_BOTH */
	__u8 returned;  /* enum sonde_returned */
	__u8 fd;        /* enum sonde_tls_fd */
	__u8 retries;   /* 1: a call that could not finish is made again with the same text */
	/*
	 * 1: the text may be in pieces. Then the 8 bytes before the place of `text` are not 0 but
	 * the address of an array {address, bytes} as iovec has it, and from the place of `text` on
	 * stand how many pieces, and the first and the end of the bytes of all that are meant
	 * (rustls, OutboundChunks::Multiple). Else `text` and `length` hold.
	 */
	__u8 chunks;
	__u8 has_unless;
	__u8 reserved[1];
};

#define SONDE_TLS_PROBE_BYTES 104

/* Key of sonde_tls_methods: a method that what `owned` points to may have. */
struct sonde_tls_method {
	__s64 distance; /* of its first instruction from the probed one */
	__u64 probe;    /* index of sonde_tls_probes */
};

#define SONDE_TLS_METHOD_BYTES 16

#endif
