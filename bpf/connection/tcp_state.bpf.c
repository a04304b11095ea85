// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Changes of a TCP socket's state: the end of connections that userspace knows, and sockets that
 * begin to listen or to connect. Runs in whatever context the change happens in, so it goes by the
 * socket and asks for the process only at listen(2).
 */
#include "core/sonde.bpf.h"
#include "maps/sockets.bpf.h"
#include "maps/texts.bpf.h"
#include "maps/traced.bpf.h"
#include "process/record.bpf.h"
#include "socket/emit.bpf.h"

static __always_inline int sonde_listens(struct sock *sk)
{
	struct task_struct *task = sonde_current();
	struct sonde_process_record *record;

	if (!sonde_settings.watch_listen)
		return 0;
	record = sonde_process_begin(SONDE_RECORD_LISTEN, task,
				     sonde_is_traced(bpf_get_current_pid_tgid() >> 32));
	if (!record)
		return 0;
	record->listen_port = sk->__sk_common.skc_num; /* 0: the kernel chooses it after this */
	return sonde_process_end(record);
}

static __always_inline struct sonde_socket *sonde_known_socket(struct sock *sk)
{
	__u64 key = (__u64)sk;

	if (sonde_settings.socket_table)
		return bpf_map_lookup_elem(&sonde_sockets, &key);
	return bpf_sk_storage_get(&sonde_storage, sk, 0, 0);
}

/* It is forgotten when the program can read no more of it: an end that the peer brought about
 * leaves text in the library. */
static __always_inline void sonde_text_end(const struct sonde_text_key *key, __u64 inode, bool dead)
{
	struct sonde_text *text = bpf_map_lookup_elem(&sonde_texts, key);

	if (!text || text->socket.inode != inode)
		return; /* the object's address is another connection's by now */
	if (text->socket.opened)
		sonde_emit_shutdown(&text->socket, SONDE_BOTH, 0, false);
	if (dead)
		bpf_map_delete_elem(&sonde_texts, key);
}

/* The plain text that this socket carried, by whatever it is named. */
static __always_inline void sonde_text_ends(struct sonde_socket *socket, struct sock *sk)
{
	struct sonde_text_key key = {.name = {socket->inode, 0}, .kind = SONDE_TEXT_INODE};
	bool dead =
	    sk->__sk_common.skc_flags & 1UL << bpf_core_enum_value(enum sock_flags, SOCK_DEAD);
	__u64 inode = socket->inode;
	struct sonde_text_key *bound;

	if (!sonde_settings.tls)
		return;
	sonde_text_end(&key, inode, dead);
	bound = bpf_map_lookup_elem(&sonde_texts_bound, &inode);
	if (!bound)
		return;
	key = *bound;
	sonde_text_end(&key, inode, dead);
	if (dead)
		bpf_map_delete_elem(&sonde_texts_bound, &inode);
}

/* connect(2): the thread that will use it, as a rule. */
static __always_inline int sonde_connects(struct sock *sk)
{
	struct sonde_execution_said said = {.event = SONDE_EXECUTION_CONNECTS};
	__u32 *traced = sonde_traced_flags(bpf_get_current_pid_tgid() >> 32);
	struct socket *socket;

	if (!traced)
		return 0;
	if (*traced & SONDE_TRACED_RUNTIME)
		sonde_execution_ids(&said);
	if (sonde_settings.socket_table) {
		socket = sk->sk_socket;
		if (!socket)
			return 0;
		said.connection =
		    sonde_inode_id(BPF_CORE_READ((struct socket_alloc *)socket, vfs_inode.i_ino));
	} else {
		said.connection = bpf_get_socket_cookie(sk);
	}
	return sonde_execution_say(&said);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(sonde_tcp_state, struct sock *sk, int old_state, int new_state)
{
	struct sonde_socket *socket;
	__u64 key = (__u64)sk;
	__u32 write_seq;

	if (sk->sk_protocol != SONDE_IPPROTO_TCP)
		return 0;
	if (new_state == SONDE_TCP_LISTEN)
		return sonde_listens(sk);
	if (new_state == SONDE_TCP_SYN_SENT)
		return sonde_connects(sk);
	if (new_state != SONDE_TCP_FIN_WAIT1 && new_state != SONDE_TCP_LAST_ACK &&
	    new_state != SONDE_TCP_CLOSE)
		return 0;
	socket = sonde_known_socket(sk);
	if (!socket)
		return 0;
	if (new_state == SONDE_TCP_CLOSE)
		sonde_text_ends(socket, sk);
	if (!socket->opened)
		return 0;
	if (new_state == SONDE_TCP_CLOSE) {
		sonde_emit_shutdown(socket, SONDE_BOTH, 0, false);
		if (sonde_settings.socket_table)
			bpf_map_delete_elem(&sonde_sockets, &key);
		return 0;
	}
	/* The FIN, which takes one more number, is queued after this. */
	write_seq = BPF_CORE_READ((struct tcp_sock *)sk, write_seq);
	return sonde_emit_shutdown(socket, SONDE_SEND, write_seq, true);
}
