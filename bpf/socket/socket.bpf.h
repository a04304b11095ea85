/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which sockets are looked at, and where in their streams a call's bytes are. Common to the hook
 * families. */
#ifndef SONDE_BPF_SOCKET_H
#define SONDE_BPF_SOCKET_H

#include "core/sonde.bpf.h"
#include "socket/socket_state.bpf.h"

/* TCP over any IP, and unix streams. MPTCP, SCTP, datagrams: no. */
static __always_inline bool sonde_wants_type(__u32 family, __u32 type, __u32 protocol)
{
	if (type != SONDE_SOCK_STREAM)
		return false;
	if (family == SONDE_AF_INET || family == SONDE_AF_INET6)
		return protocol == SONDE_IPPROTO_TCP;
	return family == SONDE_AF_UNIX;
}

/* --port: either end is in a range; sockets without ports are not meant. Bounded by
 * SONDE_MAX_PORT_RANGES. */
static __always_inline bool sonde_wants_ports(__u32 family, __u16 local, __u16 remote)
{
	__u32 i;

	if (!sonde_settings.port_range_count)
		return true;
	if (family == SONDE_AF_UNIX)
		return false;
	for (i = 0; i < SONDE_MAX_PORT_RANGES; i++) {
		__u16 first = sonde_settings.ports[i].first;
		__u16 last = sonde_settings.ports[i].last;

		if (i >= sonde_settings.port_range_count)
			break;
		if ((local >= first && local <= last) || (remote >= first && remote <= last))
			return true;
	}
	return false;
}

/*
 * TCP's sequence number just past what was received. The kernel counts the peer's FIN as one more
 * number, and does so in the call that reads the last bytes if both came in one segment: then it is
 * taken off again.
 */
static __always_inline __u32 sonde_receive_end(__u32 copied_seq, __u32 rcv_nxt,
					       unsigned long sk_flags)
{
	bool fin = sk_flags & 1UL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);

	return fin && copied_seq == rcv_nxt ? copied_seq - 1 : copied_seq;
}

#endif
