// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Family sys_exit, the fallback where the socket tracepoints are missing: the end of every system
 * call, arguments from the registers, the socket from the file descriptor. Costs every system call
 * on the host about 30 ns. Sees receiving by splice, which sock_length does not; does not see
 * io_uring, which shows as a hole in positions.
 */
#include "core/sonde.bpf.h"
#include "maps/traced.bpf.h"
#include "socket/emit.bpf.h"
#include "socket/fd.bpf.h"

/* Messages of one sendmmsg/recvmmsg call that are followed; more are rare on stream sockets and
 * show as a hole. On base kernels each is verified for itself. */
#ifdef SONDE_BASE_KERNEL
#define SONDE_MMSG_FOLLOWED 8
#else
#define SONDE_MMSG_FOLLOWED 64
#endif

static __always_inline bool sonde_is_socket_call(__u64 nr)
{
	/* Every system call of the host comes here: the compiler makes bit tests of this. */
	switch (nr) {
	case SONDE_NR_READ:
	case SONDE_NR_WRITE:
	case SONDE_NR_READV:
	case SONDE_NR_WRITEV:
	case SONDE_NR_SENDFILE:
	case SONDE_NR_SPLICE:
	case SONDE_NR_SENDTO:
	case SONDE_NR_RECVFROM:
	case SONDE_NR_SENDMSG:
	case SONDE_NR_RECVMSG:
	case SONDE_NR_RECVMMSG:
	case SONDE_NR_SENDMMSG:
		return true;
	}
	return false;
}

static __always_inline __u32 sonde_call_direction(__u64 nr)
{
	switch (nr) {
	case SONDE_NR_READ:
	case SONDE_NR_READV:
	case SONDE_NR_RECVFROM:
	case SONDE_NR_RECVMSG:
	case SONDE_NR_RECVMMSG:
		return SONDE_RECEIVE;
	}
	return SONDE_SEND;
}

/* MSG_* flags of the call; 0 where it has none. */
static __always_inline __u64 sonde_call_flags(struct pt_regs *regs, __u64 nr)
{
	switch (nr) {
	case SONDE_NR_RECVFROM:
	case SONDE_NR_RECVMMSG:
		return (__u32)SONDE_REG_ARG4(regs);
	case SONDE_NR_RECVMSG:
		return (__u32)SONDE_REG_ARG3(regs);
	}
	return 0;
}

static __always_inline int sonde_call_ended(const struct sonde_fd_call *call,
					    struct sonde_socket *state)
{
	struct sock *sk = call->sk;

	if (call->direction != SONDE_RECEIVE ||
	    !(BPF_CORE_READ(sk, sk_shutdown) & SONDE_RCV_SHUTDOWN))
		return 0;
	if (call->traced & SONDE_TRACED_RUNTIME)
		sonde_execution_ends(state->connection);
	if (!state->opened || sonde_swap(&state->ended, 1))
		return 0;
	return sonde_emit_shutdown(state, SONDE_RECEIVE, sonde_fd_end_position(call, state, 0),
				   true);
}

/* TCP positions are 32 bits. */
static __always_inline __u64 sonde_call_position(const struct sonde_fd_call *call, __u64 position)
{
	return call->family == SONDE_AF_UNIX ? position : (__u32)position;
}

static __always_inline __u32 sonde_mmsg_length(__u64 vector, __u32 index)
{
	__u32 length = 0;

	bpf_probe_read_user(&length, sizeof(length),
			    (void *)(vector + index * sizeof(struct sonde_user_mmsghdr) +
				     offsetof(struct sonde_user_mmsghdr, length)));
	return length;
}

/* One message of a vector. Returns its length. Global: verified once, not per message. */
SONDE_GLOBAL __u32 sonde_call_one_of(struct sonde_scratch *scratch, struct sonde_fd_call *call,
				     struct sonde_socket *state, __u32 index, __u64 position)
{
	__u32 length;

	if (!scratch || !call || !state)
		return 0;
	length = sonde_mmsg_length(call->arg2, index);
	if (!length)
		return 0;
	scratch->sk = (__u64)call->sk;
	sonde_record_begin(scratch, state, call->direction, length,
			   sonde_call_position(call, position), call->traced);
	if (sonde_payload_msg(scratch, call->arg2 + index * sizeof(struct sonde_user_mmsghdr)))
		sonde_emit_seen(scratch, state, call->sk);
	else
		sonde_emit_unseen(scratch, state, call->sk, true);
	return length;
}

/* Bytes of all messages that are followed. Global: so that the verifier has one sum to think of,
 * not one per number of messages. */
SONDE_GLOBAL __u64 sonde_call_total(struct sonde_fd_call *call)
{
	__u64 total = 0;
	__u32 i;

	if (!call)
		return 0;
	for (i = 0; i < SONDE_MMSG_FOLLOWED && i < call->moved; i++)
		total += sonde_mmsg_length(call->arg2, i);
	return total;
}

/* The kernel has written each message's length, so each is exact. `call` is one of whose socket
 * sonde_call has made the state. */
SONDE_GLOBAL int sonde_call_mmsg(struct sonde_fd_call *call)
{
	struct sonde_scratch *scratch = sonde_scratch_get();
	struct sonde_socket *state;
	__u64 total, position;
	__u32 i, count;

	if (!scratch || !call)
		return 0;
	state = sonde_fd_state(call);
	if (!state)
		return 0;
	count = call->moved;
	if (count > SONDE_MMSG_FOLLOWED)
		sonde_drop(SONDE_DROP_SEGMENTS);
	total = sonde_call_total(call);
	position = sonde_fd_end_position(call, state, total) - total;
	if (state->capture.socket_class >= SONDE_CLASS_TLS)
		return sonde_count(SONDE_COUNT_QUIET);
	for (i = 0; i < SONDE_MMSG_FOLLOWED && i < count; i++)
		position += sonde_call_one_of(scratch, call, state, i, position);
	return 0;
}

/* Points scratch at the bytes. False: they cannot be seen. */
static __always_inline bool sonde_call_payload(struct sonde_scratch *scratch,
					       const struct sonde_fd_call *call)
{
	switch (call->kind) {
	case SONDE_PAYLOAD_BUFFER:
		scratch->base = call->arg2;
		return true;
	case SONDE_PAYLOAD_IOV:
		return sonde_payload_iov(scratch, call->arg2, call->arg3);
	case SONDE_PAYLOAD_MSG:
		return sonde_payload_msg(scratch, call->arg2);
	default:
		return false;
	}
}

/* What sonde_call leaves to its caller: within it the stack would not suffice. */
#define SONDE_CALL_MMSG 1

/* Global: a call may be on two descriptors, and is verified once. */
SONDE_GLOBAL int sonde_call(struct sonde_fd_call *call)
{
	struct sonde_scratch *scratch = sonde_scratch_get();
	struct sonde_socket *state;
	__u64 end;

	if (!call || !scratch || !sonde_fd_socket(call))
		return 0;
	state = sonde_fd_state(call);
	if (!state)
		return 0;
	if (!call->moved)
		return sonde_call_ended(call, state);
	if (call->kind == SONDE_PAYLOAD_MMSG)
		return SONDE_CALL_MMSG;
	end = sonde_fd_end_position(call, state, call->moved);
	if (call->traced & SONDE_TRACED_SEEKS)
		sonde_beside_moved(state, call->sk, call->direction, call->moved);
	if (state->capture.socket_class >= SONDE_CLASS_TLS)
		return sonde_quiet(call->direction, call->traced);
	scratch->sk = (__u64)call->sk;
	sonde_record_begin(scratch, state, call->direction, call->moved,
			   sonde_call_position(call, end - call->moved), call->traced);
	if (call->flags & SONDE_MSG_TRUNC && call->family != SONDE_AF_UNIX)
		call->kind = SONDE_PAYLOAD_NONE; /* TCP threw the bytes away */
	if (sonde_call_payload(scratch, call))
		return sonde_emit_seen(scratch, state, call->sk);
	return sonde_emit_unseen(scratch, state, call->sk, call->kind != SONDE_PAYLOAD_FILE);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sonde_sys_exit, struct pt_regs *regs, long ret)
{
	__u64 nr = SONDE_REG_NR(regs);
	struct sonde_fd_call call = {};

	__u32 *traced;

	if (ret < 0 || !sonde_is_socket_call(nr))
		return 0;
	traced = sonde_traced_flags(bpf_get_current_pid_tgid() >> 32);
	if (!traced)
		return 0;
	call.traced = *traced;
	if (SONDE_TASK_COMPAT(sonde_current()))
		return 0; /* other numbers; their sockets show holes */
	call.fd = SONDE_REG_ARG1(regs);
	call.arg2 = SONDE_REG_ARG2(regs);
	call.arg3 = SONDE_REG_ARG3(regs);
	call.moved = ret;
	call.flags = sonde_call_flags(regs, nr);
	if (call.flags & (SONDE_MSG_PEEK | SONDE_MSG_ERRQUEUE | SONDE_MSG_OOB))
		return 0;
	if (nr == SONDE_NR_SPLICE) {
		call.direction = SONDE_RECEIVE;
		sonde_call(&call);
		call.fd = call.arg3;
	}
	call.direction = sonde_call_direction(nr);
	call.kind = sonde_payload_kind(nr, call.direction);
	if (sonde_call(&call) == SONDE_CALL_MMSG)
		sonde_call_mmsg(&call);
	return 0;
}
