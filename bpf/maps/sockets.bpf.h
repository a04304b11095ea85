/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * State per socket. sonde_storage hangs on the socket itself and dies with it. sonde_sockets is for
 * the sys_exit family, which finds sockets by pointers the verifier does not trust: key: address of
 * struct sock; an old entry whose address was reused is known by its inode; removed at TCP close,
 * else by LRU. It has one entry when it is not used.
 */
#ifndef SONDE_BPF_MAPS_SOCKETS_H
#define SONDE_BPF_MAPS_SOCKETS_H

#include "socket/socket_state.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sonde_socket);
} sonde_storage SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, struct sonde_socket);
} sonde_sockets SEC(".maps");

#endif
