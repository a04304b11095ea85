/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The OPEN record: who is at both ends of a socket. Made once per socket, so it reads with probe
 * reads, which work for trusted and untrusted pointers alike.
 */
#ifndef SONDE_BPF_OPEN_H
#define SONDE_BPF_OPEN_H

#include "core/sonde.bpf.h"
#include "maps/ring.bpf.h"
#include "socket/socket_state.bpf.h"

/* IPv6 addresses ::ffff:a.b.c.d are given as IPv4: the same connection looks the same from either
 * socket type. */
static __always_inline void sonde_open_inet(struct sonde_open_record *record, struct sock *sk)
{
	struct in6_addr local, remote;

	record->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	record->remote_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == SONDE_AF_INET) {
		__u32 address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);

		record->family = 4;
		__builtin_memcpy(record->local_address, &address, 4);
		address = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		__builtin_memcpy(record->remote_address, &address, 4);
		return;
	}
	BPF_CORE_READ_INTO(&local, sk, __sk_common.skc_v6_rcv_saddr);
	BPF_CORE_READ_INTO(&remote, sk, __sk_common.skc_v6_daddr);
	if (!remote.in6_u.u6_addr32[0] && !remote.in6_u.u6_addr32[1] &&
	    remote.in6_u.u6_addr32[2] == __builtin_bswap32(0xffff)) {
		record->family = 4;
		__builtin_memcpy(record->local_address, &local.in6_u.u6_addr8[12], 4);
		__builtin_memcpy(record->remote_address, &remote.in6_u.u6_addr8[12], 4);
		return;
	}
	record->family = 6;
	__builtin_memcpy(record->local_address, &local, 16);
	__builtin_memcpy(record->remote_address, &remote, 16);
}

static __always_inline void sonde_open_unix(struct sonde_open_record *record, struct sock *sk)
{
	struct unix_sock *self = (struct unix_sock *)sk;
	struct sock *peer = BPF_CORE_READ(self, peer);
	struct unix_address *address = BPF_CORE_READ(self, addr);
	__u32 length;

	record->family = 1;
	if (peer && sonde_settings.socket_table) {
		struct socket *socket = BPF_CORE_READ(peer, sk_socket);

		if (socket)
			record->peer_connection = sonde_inode_id(
			    BPF_CORE_READ((struct socket_alloc *)socket, vfs_inode.i_ino));
	} else if (peer) {
		record->peer_connection = BPF_CORE_READ(peer, __sk_common.skc_cookie.counter);
	}
	if (!address && peer)
		address = BPF_CORE_READ((struct unix_sock *)peer, addr);
	if (!address)
		return;
	/* len counts sun_family; for a path in the file system also the NUL at its end. */
	length = BPF_CORE_READ(address, len) - sizeof(__u16);
	if (length > sizeof(record->path))
		return;
	bpf_probe_read_kernel(record->path, length, &address->name[0].sun_path);
	record->path_length = length;
}

/*
 * Where the streams begin to be seen: with the call that is being reported in its direction, with
 * what comes next in the other. So userspace can tell a lost first record from a connection that
 * was open before.
 */
static __always_inline void sonde_open_begin(struct sonde_open_record *record, struct sock *sk,
					     const struct sonde_data_record *first)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	__u32 direction = first->direction & 1;

	record->has_begin = 1;
	record->begin[SONDE_SEND] = BPF_CORE_READ(tcp, write_seq);
	record->begin[SONDE_RECEIVE] = BPF_CORE_READ(tcp, copied_seq);
	record->begin[direction] = (__u32)first->position;
}

/* `sk` is trusted in one family and a plain number in the other. `first`: the record that follows.
 */
static __noinline int sonde_open(struct sonde_socket *socket, struct sock *sk,
				 const struct sonde_data_record *first)
{
	struct sonde_open_record *record;
	__u64 task = bpf_get_current_pid_tgid();

	if (sonde_swap(&socket->opened, 1))
		return 0;
	record = bpf_ringbuf_reserve(&sonde_ring, sizeof(*record), 0);
	if (!record) {
		socket->opened = 0; /* tried again with the next record */
		return sonde_drop(SONDE_DROP_RING_FULL);
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->header.type = SONDE_RECORD_OPEN;
	record->header.size = sizeof(*record);
	record->header.mono_ns = bpf_ktime_get_ns();
	record->connection = socket->connection;
	record->netns_inode = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	record->tgid = task >> 32;
	record->tid = (__u32)task;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == SONDE_AF_UNIX) {
		record->transport = SONDE_TRANSPORT_UNIX;
		sonde_open_unix(record, sk);
	} else {
		record->transport = SONDE_TRANSPORT_TCP;
		sonde_open_inet(record, sk);
		sonde_open_begin(record, sk, first);
	}
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

#endif
