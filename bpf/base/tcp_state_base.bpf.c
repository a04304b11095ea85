// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* connection/tcp_state.bpf.c for Linux 5.8 to 5.11: see core/base.bpf.h. */
#define SONDE_BASE_KERNEL
#include "connection/tcp_state.bpf.c"
