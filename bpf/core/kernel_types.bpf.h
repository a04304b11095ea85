/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every kernel type and field that sonde reads: its whole dependency on kernel internals. Offsets
 * come from the running kernel's BTF at load (CO-RE). Only the fields named here need to exist.
 */
#ifndef SONDE_BPF_KERNEL_TYPES_H
#define SONDE_BPF_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	unsigned long skc_flags;
};

struct socket;

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	__u16 sk_protocol;
	__u16 sk_type;
	__u8 sk_shutdown;
};

struct tcp_sock {
	__u32 copied_seq;
	__u32 rcv_nxt;
	__u32 write_seq;
};

enum sock_flags { SOCK_DEAD, SOCK_DONE };

struct sockaddr_un {
	__u16 sun_family;
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	long long i_size;
};

struct address_space {
	struct inode *host;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct bpf_subprog_info {
	bool might_sleep : 1;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct signal_struct {
	atomic_t live;
	unsigned int flags;
	int group_exit_code;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

/* Of each architecture those that arch.bpf.h reads there. */
struct thread_info {
	__u32 status;        /* x86 */
	unsigned long flags; /* arm64 */
};

struct thread_struct {
	unsigned long fsbase; /* x86 */
	struct {
		unsigned long tp_value;
	} uw; /* arm64 */
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u64 start_boottime;
	__u64 self_exec_id;
	char comm[16];
	struct files_struct *files;
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct thread_struct thread;
};

struct linux_binprm {
	const char *filename;
};

#pragma clang attribute pop

/* Constants of the kernel's user interface that have no type. */
#define SONDE_AF_UNIX           1
#define SONDE_AF_INET           2
#define SONDE_AF_INET6          10
#define SONDE_SOCK_STREAM       1
#define SONDE_IPPROTO_TCP       6
#define SONDE_RCV_SHUTDOWN      1
#define SONDE_EAGAIN            11
#define SONDE_MSG_OOB           0x1
#define SONDE_MSG_PEEK          0x2
#define SONDE_MSG_TRUNC         0x20
#define SONDE_MSG_ERRQUEUE      0x2000
#define SONDE_PF_IO_WORKER      0x10
#define SONDE_SIGNAL_GROUP_EXIT 4
#define SONDE_S_IFMT            0170000
#define SONDE_S_IFSOCK          0140000

/* TCP states (include/net/tcp_states.h) */
enum sonde_tcp_state {
	SONDE_TCP_ESTABLISHED = 1,
	SONDE_TCP_SYN_SENT = 2,
	SONDE_TCP_FIN_WAIT1 = 4,
	SONDE_TCP_CLOSE = 7,
	SONDE_TCP_CLOSE_WAIT = 8,
	SONDE_TCP_LAST_ACK = 9,
	SONDE_TCP_LISTEN = 10,
};

#endif
