/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What differs between processors: system call numbers, where their arguments are, and how to know
 * that a task is inside the call its registers show. One block per architecture; nothing else in
 * bpf/ knows a register's name.
 */
#ifndef SONDE_BPF_ARCH_H
#define SONDE_BPF_ARCH_H

#include "core/kernel_types.bpf.h"

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	unsigned long r10, r9, r8, ax, cx, dx, si, di, orig_ax;
} __attribute__((preserve_access_index));

#define SONDE_NR_READ     0
#define SONDE_NR_WRITE    1
#define SONDE_NR_READV    19
#define SONDE_NR_WRITEV   20
#define SONDE_NR_SENDFILE 40
#define SONDE_NR_SENDTO   44
#define SONDE_NR_RECVFROM 45
#define SONDE_NR_SENDMSG  46
#define SONDE_NR_RECVMSG  47
#define SONDE_NR_SPLICE   275
#define SONDE_NR_RECVMMSG 299
#define SONDE_NR_SENDMMSG 307

#define SONDE_REG_NR(regs)   ((regs)->orig_ax)
#define SONDE_REG_ARG1(regs) ((regs)->di)
#define SONDE_REG_ARG2(regs) ((regs)->si)
#define SONDE_REG_ARG3(regs) ((regs)->dx)
#define SONDE_REG_ARG4(regs) ((regs)->r10)
#define SONDE_REG_ARG5(regs) ((regs)->r8)

/*
 * The entry code stores -ENOSYS as the result and replaces it when the call has returned. So
 * io_uring work that runs on the way back to user mode, when the registers still show the call
 * before, is told apart from that call.
 */
#define SONDE_REG_IN_CALL(regs) ((long)(regs)->ax == -38)

/* thread_info.status: the call came through the 32-bit entry, with other numbers (TS_COMPAT). */
#define SONDE_TASK_COMPAT(task) ((task)->thread_info.status & 2)

#else
#error "no system call table for this architecture yet"
#endif

#endif
