// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* socket/sys_exit.bpf.c for Linux 5.8 to 5.11: see core/base.bpf.h. */
#define SONDE_BASE_KERNEL
#include "socket/sys_exit.bpf.c"
