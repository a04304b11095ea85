/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The OPEN record of a connection's plain text: the ends are those of the socket beneath. */
#ifndef SONDE_BPF_TLS_OPEN_TEXT_H
#define SONDE_BPF_TLS_OPEN_TEXT_H

#include "core/sonde.bpf.h"
#include "maps/ring.bpf.h"
#include "maps/texts.bpf.h"
#include "socket/open.bpf.h"

/* Is this still the socket that it was when its address was noted? */
static __always_inline bool sonde_text_socket_lives(const struct sonde_text *text)
{
	struct sock *sk = (struct sock *)text->sk;
	struct socket *socket;

	if (!sk)
		return false;
	socket = BPF_CORE_READ(sk, sk_socket);
	if (!socket)
		return false;
	return BPF_CORE_READ((struct socket_alloc *)socket, vfs_inode.i_ino) == text->socket.inode;
}

/* Said again when the socket of a text is found later than its first bytes. Global: verified once.
 */
SONDE_GLOBAL int sonde_text_open(struct sonde_text *text)
{
	struct sonde_open_record *record;
	__u64 task = bpf_get_current_pid_tgid();
	struct sock *sk;

	if (!text)
		return 0;
	record = bpf_ringbuf_reserve(&sonde_ring, sizeof(*record), 0);
	if (!record) {
		text->socket.opened = 0; /* tried again with the next record */
		return sonde_drop(SONDE_DROP_RING_FULL);
	}
	text->socket.opened = 1;
	sk = (struct sock *)text->sk;
	__builtin_memset(record, 0, sizeof(*record));
	record->header.type = SONDE_RECORD_OPEN;
	record->header.size = sizeof(*record);
	record->header.mono_ns = bpf_ktime_get_ns();
	record->connection = text->socket.connection;
	record->tgid = task >> 32;
	record->tid = (__u32)task;
	record->plain_text = 1;
	/* What began before its end was probed is not seen from its start. */
	record->has_begin = text->probed_ns && text->hello_ns > text->probed_ns;
	if (record->has_begin)
		record->peer_connection = text->name;
	if (sonde_text_socket_lives(text)) {
		record->netns_inode = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
		if (BPF_CORE_READ(sk, __sk_common.skc_family) == SONDE_AF_UNIX) {
			record->transport = SONDE_TRANSPORT_UNIX;
			sonde_open_unix(record, sk);
		} else {
			sonde_open_inet(record, sk);
		}
	}
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

#endif
