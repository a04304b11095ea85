/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a net.Conn in the memory of a Go program to its file descriptor. */
#ifndef SONDE_BPF_GO_FD_H
#define SONDE_BPF_GO_FD_H

#include "core/sonde.bpf.h"
#include "core/user.bpf.h"

/* Of net.netFD (Go 1.17 to 1.26): poll.FD begins with fdmu, 16 bytes, then Sysfd; family and type
 * follow it. Read together, to know by them that it is one. */
struct sonde_go_netfd {
	__u64 mutex[2];
	__u64 fd;
	__u64 rest[4];
	__u64 family;
	__u64 type;
};

#define SONDE_GO_MAX_FD   (1U << 20)
#define SONDE_GO_WRAPPERS 3
#define SONDE_GO_FIELDS   5

/* `connection`: address of what may be a *net.TCPConn, which is conn{fd *netFD}. */
static __always_inline int sonde_go_fd_of(__u64 connection)
{
	struct sonde_go_netfd netfd;
	__u64 address;

	if (bpf_probe_read_user(&address, sizeof(address), (void *)connection) || !address ||
	    bpf_probe_read_user(&netfd, sizeof(netfd), (void *)address))
		return -1;
	if (netfd.fd >= SONDE_GO_MAX_FD || netfd.type != SONDE_SOCK_STREAM)
		return -1;
	if (netfd.family != SONDE_AF_UNIX && netfd.family != SONDE_AF_INET &&
	    netfd.family != SONDE_AF_INET6)
		return -1;
	return (int)netfd.fd;
}

/*
 * A net.Conn is an interface: its second word leads to a *net.TCPConn, or to a program's own
 * connection that holds one in one of its first fields, or in what its second field leads to.
 */
static __always_inline int sonde_go_fd(__u64 interface)
{
	__u64 at = sonde_word(interface + 8);
	int fd = sonde_go_fd_of(at);
	/* Linux 5.15 forgets what is in a narrower one on the stack, and sees an endless loop. */
	__u64 i, field;

	for (i = 0; i < SONDE_GO_WRAPPERS && fd < 0 && at; i++) {
		for (field = 0; field < SONDE_GO_FIELDS && fd < 0; field++)
			fd = sonde_go_fd_of(sonde_word(at + field * 8));
		at = sonde_word(at + 16);
	}
	return fd;
}

#endif
