/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The client's hello, seen on a socket: its random names the connection from here on. The TLS
 * object of the same process keeps the same bytes, which is how plain text finds its socket.
 */
#ifndef SONDE_BPF_HELLO_H
#define SONDE_BPF_HELLO_H

#include "core/sonde.bpf.h"
#include "maps/texts.bpf.h"
#include "socket/global.bpf.h"
#include "socket/open.bpf.h"
#include "socket/payload.bpf.h"

/* RFC 8446 section 4 and 4.1.2: type, 3 bytes of length, legacy version, random. */
#define SONDE_HELLO_RANDOM 6
#define SONDE_HELLO_BYTES  (SONDE_HELLO_RANDOM + 16)
#define SONDE_CLIENT_HELLO 1

/* Global: verified once. */
SONDE_OF_SOCKET(int, sonde_hello)
{
	struct sonde_text_key key;
	struct sonde_text *text;
	__u64 inode;
	__u32 *traced;
	const __u8 *hello;

	if (!scratch || !socket || !sonde_settings.tls || !scratch->call.hello)
		return 0;
	if (sonde_gather(scratch, scratch->call.hello - 1, SONDE_HELLO_BYTES, 0) !=
	    SONDE_HELLO_BYTES)
		return 0; /* cut short: the text finds its socket by other ways */
	hello = scratch->payload;
	if (hello[0] != SONDE_CLIENT_HELLO || hello[4] != 3)
		return 0;
	__builtin_memcpy(key.name, hello + SONDE_HELLO_RANDOM, sizeof(key.name));
	key.tgid = bpf_get_current_pid_tgid() >> 32;
	key.kind = scratch->call.direction == SONDE_SEND ? SONDE_TEXT_CLIENT : SONDE_TEXT_SERVER;
	inode = socket->inode; /* a key must be on the stack (kernels before 6.2) */
	text = sonde_text_create(&key, sonde_inode_id(inode), inode, scratch->sk);
	if (text) {
		text->name = key.name[0];
		text->hello_ns = bpf_ktime_get_ns();
		bpf_map_update_elem(&sonde_texts_bound, &inode, &key, BPF_ANY);
	}
	traced = sonde_traced_flags(key.tgid);
	if (traced && !(*traced & SONDE_TRACED_FINDS)) {
		if (*traced / SONDE_TRACED_HELLO < SONDE_MAX_HELLOS)
			*traced = (*traced | SONDE_TRACED_SEEKS) + SONDE_TRACED_HELLO;
		else
			*traced = (*traced | SONDE_TRACED_FINDS) & ~SONDE_TRACED_SEEKS;
	}
	return sonde_count(SONDE_COUNT_TLS_HELLO);
}

#endif
