/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a file descriptor of the current task to its stream socket, by probe reads: for hooks that
 * are not handed the socket. The pointers are plain numbers to the verifier.
 */
#ifndef SONDE_BPF_FD_H
#define SONDE_BPF_FD_H

#include "maps/drops.bpf.h"
#include "maps/sockets.bpf.h"
#include "socket/socket.bpf.h"

/* One call on a descriptor. The socket is an address, not a pointer the verifier knows. */
struct sonde_fd_call {
	struct sock *sk;
	__u64 inode;
	__u64 fd;
	__u64 arg2;
	__u64 arg3;
	__u32 moved;     /* result of the call */
	__u32 direction; /* enum sonde_direction */
	__u32 kind;      /* enum sonde_payload_kind */
	__u32 flags;     /* MSG_* */
	__u32 family;
	__u32 traced; /* SONDE_TRACED_* of the process */
};

/* False: not a socket that is looked at. */
static __always_inline bool sonde_fd_socket(struct sonde_fd_call *found)
{
	struct task_struct *task = sonde_current();
	struct file **table = SONDE_TASK(task, files, fdt, fd);
	struct socket *socket;
	struct inode *inode;
	struct file *file;
	struct sock *sk;

	/* The call succeeded, so the number was valid a moment ago; another thread may have closed
	 * it since. */
	if ((__u32)found->fd >= SONDE_TASK(task, files, fdt, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), table + (__u32)found->fd) || !file) {
		sonde_drop(SONDE_DROP_FD_LOOKUP);
		return false;
	}
	inode = BPF_CORE_READ(file, f_inode);
	if ((BPF_CORE_READ(inode, i_mode) & SONDE_S_IFMT) != SONDE_S_IFSOCK)
		return false;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	found->sk = sk;
	found->inode = BPF_CORE_READ(inode, i_ino);
	found->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	return sonde_wants_type(found->family, BPF_CORE_READ(sk, sk_type),
				BPF_CORE_READ(sk, sk_protocol));
}

/* The number of the connection of this descriptor, and in *inode that of its file. 0: there is
 * none, or nothing was seen on it yet. */
static __noinline __attribute__((unused)) __u64 sonde_fd_connection(int fd, __u64 *inode)
{
	struct sonde_fd_call found = {};
	struct sock *sk;

	found.fd = fd;
	if (fd < 0 || !sonde_fd_socket(&found))
		return 0;
	sk = found.sk;
	*inode = found.inode;
	return sonde_settings.socket_table ? sonde_inode_id(found.inode)
					   : BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

/* Not inlined: so large a thing must not stay on the stack. */
static __noinline __attribute__((unused)) struct sonde_socket *
sonde_fd_state_new(const struct sonde_fd_call *found)
{
	struct sonde_socket fresh = {};
	struct sonde_socket *state;
	struct sock *sk = found->sk;
	__u64 key = (__u64)sk;

	fresh.inode = found->inode;
	fresh.connection = sonde_inode_id(found->inode);
	sonde_capture_init(&fresh.capture);
	if (!sonde_wants_ports(found->family, BPF_CORE_READ(sk, __sk_common.skc_num),
			       __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport))))
		fresh.capture.socket_class = SONDE_CLASS_REFUSED;
	bpf_map_update_elem(&sonde_sockets, &key, &fresh, BPF_ANY);
	state = bpf_map_lookup_elem(&sonde_sockets, &key);
	if (!state)
		sonde_drop(SONDE_DROP_SOCKET_STATE_FULL);
	return state;
}

/* State of the socket; made at its first I/O, made anew if the address belonged to another socket
 * before. */
static __always_inline struct sonde_socket *sonde_fd_state(const struct sonde_fd_call *found)
{
	__u64 key = (__u64)found->sk;
	struct sonde_socket *state = bpf_map_lookup_elem(&sonde_sockets, &key);

	return state && state->inode == found->inode ? state : sonde_fd_state_new(found);
}

/* As sonde_end_position of the sock_length family, through untrusted pointers. */
static __always_inline __u64 sonde_fd_end_position(const struct sonde_fd_call *found,
						   struct sonde_socket *state, __u64 length)
{
	struct tcp_sock *tcp = (struct tcp_sock *)found->sk;
	struct sock *sk = found->sk;

	if (found->family == SONDE_AF_UNIX)
		return sonde_advance(&state->moved[found->direction & 1], length) + length;
	if (found->direction == SONDE_SEND)
		return BPF_CORE_READ(tcp, write_seq);
	return sonde_receive_end(BPF_CORE_READ(tcp, copied_seq), BPF_CORE_READ(tcp, rcv_nxt),
				 BPF_CORE_READ(sk, __sk_common.skc_flags));
}

#endif
