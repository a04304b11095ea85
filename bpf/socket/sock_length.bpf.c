// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Family sock_length, the primary one (kernels >= 6.5): the kernel's own tracepoints at the end of
 * each socket send and receive. Costs nothing to system calls that are not socket I/O. The payload
 * is found through the registers of the system call that the task is in.
 */
#include "core/preemption.bpf.h"
#include "core/sonde.bpf.h"
#include "maps/sockets.bpf.h"
#include "maps/traced.bpf.h"
#include "socket/emit.bpf.h"
#include "socket/mmsg.bpf.h"
#include "socket/socket.bpf.h"

/* Error queue and urgent bytes are not in the stream; peeked bytes come again. */
#define SONDE_MSG_NOT_STREAM (SONDE_MSG_PEEK | SONDE_MSG_ERRQUEUE | SONDE_MSG_OOB)

/* First I/O of a traced process on this socket. */
static __always_inline struct sonde_socket *sonde_socket_new(struct sock *sk)
{
	struct sonde_socket *socket;
	__u16 family = sk->__sk_common.skc_family;

	socket = bpf_sk_storage_get(&sonde_storage, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!socket) {
		sonde_drop(SONDE_DROP_SOCKET_STATE_FULL);
		return 0;
	}
	socket->connection = bpf_get_socket_cookie(sk);
	socket->inode = BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	sonde_capture_init(&socket->capture);
	/* Without a file it is the kernel's own socket (NFS ...), used in a call about something
	 * else. */
	if (!sk->sk_socket || !sk->sk_socket->file ||
	    !sonde_wants_ports(family, sk->__sk_common.skc_num,
			       __builtin_bswap16(sk->__sk_common.skc_dport)))
		socket->capture.socket_class = SONDE_CLASS_REFUSED;
	return socket;
}

static __always_inline struct sonde_socket *sonde_socket_get(struct sock *sk)
{
	struct sonde_socket *socket;

	if (!sonde_wants_type(sk->__sk_common.skc_family, sk->sk_type, sk->sk_protocol))
		return 0;
	socket = bpf_sk_storage_get(&sonde_storage, sk, 0, 0);
	return socket ? socket : sonde_socket_new(sk);
}

/* Position just past the bytes that were moved; `length` is added to what a unix socket has moved.
 */
static __always_inline __u64 sonde_end_position(struct sock *sk, struct sonde_socket *socket,
						__u32 direction, __u32 length)
{
	struct tcp_sock *tcp;

	if (sk->__sk_common.skc_family == SONDE_AF_UNIX)
		return sonde_advance(&socket->moved[direction & 1], length) + length;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	if (direction == SONDE_SEND)
		return tcp->write_seq;
	return sonde_receive_end(tcp->copied_seq, tcp->rcv_nxt, sk->__sk_common.skc_flags);
}

/* TCP positions are 32 bits: going back from the end wraps within them. */
static __always_inline __u64 sonde_start_position(struct sock *sk, __u64 end, __u32 length)
{
	return sk->__sk_common.skc_family == SONDE_AF_UNIX ? end - length : (__u32)(end - length);
}

/* Points scratch at the bytes of the call the task is in. False: they cannot be seen. */
static __always_inline bool sonde_find_payload(struct sonde_scratch *scratch,
					       struct sonde_socket *socket, struct pt_regs *regs,
					       enum sonde_payload_kind kind)
{
	switch (kind) {
	case SONDE_PAYLOAD_BUFFER:
		scratch->base = SONDE_REG_ARG2(regs);
		return true;
	case SONDE_PAYLOAD_IOV:
		return sonde_payload_iov(scratch, SONDE_REG_ARG2(regs), SONDE_REG_ARG3(regs));
	case SONDE_PAYLOAD_MSG:
		return sonde_payload_msg(scratch, SONDE_REG_ARG2(regs));
	case SONDE_PAYLOAD_MMSG:
		/* A timeout ends the call between two messages, which no hook sees: the next may be
		 * any. */
		if (scratch->record.direction == SONDE_RECEIVE && SONDE_REG_ARG5(regs) &&
		    (__u32)SONDE_REG_ARG3(regs) > 1)
			return false;
		return sonde_mmsg_find(scratch, socket, SONDE_REG_ARG2(regs), SONDE_REG_ARG3(regs));
	default:
		return false;
	}
}

/* End of the peer's stream. */
static __always_inline int sonde_ended(struct sock *sk, __u32 traced)
{
	struct sonde_socket *socket;

	if (!sonde_wants_type(sk->__sk_common.skc_family, sk->sk_type, sk->sk_protocol) ||
	    !(sk->sk_shutdown & SONDE_RCV_SHUTDOWN))
		return 0; /* a read of no bytes */
	socket = bpf_sk_storage_get(&sonde_storage, sk, 0, 0);
	if (traced & SONDE_TRACED_RUNTIME)
		sonde_execution_ends(socket ? socket->connection : 0);
	if (!socket || !socket->opened || sonde_swap(&socket->ended, 1))
		return 0;
	return sonde_emit_shutdown(socket, SONDE_RECEIVE,
				   sonde_end_position(sk, socket, SONDE_RECEIVE, 0), true);
}

/* A failed message ends its sendmmsg/recvmmsg call. */
static __always_inline int sonde_failed(struct sock *sk)
{
	struct sonde_socket *socket = bpf_sk_storage_get(&sonde_storage, sk, 0, 0);

	if (socket)
		socket->mmsg.index = 0;
	return 0;
}

static __always_inline void sonde_receive_failed(struct sock *sk, int error, __u32 traced)
{
	struct sonde_socket *socket = bpf_sk_storage_get(&sonde_storage, sk, 0, 0);

	sonde_failed(sk);
	if (error != -SONDE_EAGAIN && traced & SONDE_TRACED_RUNTIME)
		sonde_execution_ends(socket ? socket->connection : 0);
}

static __always_inline int sonde_moved(struct sock *sk, int length, __u32 direction, int flags,
				       __u32 traced)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sonde_socket *socket;
	struct sonde_scratch *scratch;
	struct pt_regs *regs;
	enum sonde_payload_kind kind;
	__u64 end;

	socket = sonde_socket_get(sk);
	scratch = sonde_scratch_get();
	if (!socket || !scratch)
		return 0;
	end = sonde_end_position(sk, socket, direction, length);
	if (traced & SONDE_TRACED_SEEKS)
		sonde_beside_moved(socket, sk, direction, length);
	if (socket->capture.socket_class >= SONDE_CLASS_TLS)
		return sonde_quiet(direction, traced);
	sonde_record_begin(scratch, socket, direction, length,
			   sonde_start_position(sk, end, length), traced);
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	kind = SONDE_PAYLOAD_NONE;
	/* io_uring works with the registers of another moment, 32-bit calls with other numbers. */
	if (SONDE_REG_IN_CALL(regs) && !(task->flags & SONDE_PF_IO_WORKER) &&
	    !SONDE_TASK_COMPAT(task))
		kind = sonde_payload_kind(SONDE_REG_NR(regs), direction);
	if (flags & SONDE_MSG_TRUNC && sk->__sk_common.skc_family != SONDE_AF_UNIX)
		kind = SONDE_PAYLOAD_NONE; /* TCP threw the bytes away */
	if (!sonde_find_payload(scratch, socket, regs, kind))
		return sonde_emit_unseen(scratch, socket, sk, kind != SONDE_PAYLOAD_FILE);
	return sonde_emit_seen(scratch, socket, sk);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sonde_sock_send, struct sock *sk, int ret, int flags)
{
	__u32 *traced;

	if (ret <= 0 && !sonde_mmsg_used)
		return 0;
	traced = sonde_traced_flags(bpf_get_current_pid_tgid() >> 32);
	if (!traced)
		return 0;
	sonde_preemption_off();
	if (ret > 0)
		sonde_moved(sk, ret, SONDE_SEND, 0, *traced);
	else
		sonde_failed(sk);
	sonde_preemption_on();
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sonde_sock_recv, struct sock *sk, int ret, int flags)
{
	__u32 *traced;

	if ((ret == -SONDE_EAGAIN && !sonde_mmsg_used) || flags & SONDE_MSG_NOT_STREAM)
		return 0;
	traced = sonde_traced_flags(bpf_get_current_pid_tgid() >> 32);
	if (!traced)
		return 0;
	sonde_preemption_off();
	if (ret > 0)
		sonde_moved(sk, ret, SONDE_RECEIVE, flags, *traced);
	else if (ret)
		sonde_receive_failed(sk, ret, *traced);
	else
		sonde_ended(sk, *traced);
	sonde_preemption_on();
	return 0;
}
