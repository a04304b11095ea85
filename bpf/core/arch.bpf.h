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
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip,
	    sp;
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

/* Where user space finds what is the thread's own (fs base). */
#define SONDE_THREAD_POINTER(task) ((__u64)(task)->thread.fsbase)

/* By enum sonde_register. All are copied, because which one is wanted is known at run time only,
 * and the context may not be read at such an offset. */
struct sonde_registers {
	__u64 value[16];
};

#define SONDE_REG_RETURN(regs) ((regs)->ax)
#define SONDE_REG_IP(regs)     ((regs)->ip)

static __always_inline void sonde_registers_read(struct sonde_registers *to, struct pt_regs *regs)
{
	to->value[0] = regs->ax;
	to->value[1] = regs->dx;
	to->value[2] = regs->cx;
	to->value[3] = regs->bx;
	to->value[4] = regs->si;
	to->value[5] = regs->di;
	to->value[6] = regs->bp;
	to->value[7] = regs->sp;
	to->value[8] = regs->r8;
	to->value[9] = regs->r9;
	to->value[10] = regs->r10;
	to->value[11] = regs->r11;
	to->value[12] = regs->r12;
	to->value[13] = regs->r13;
	to->value[14] = regs->r14;
	to->value[15] = regs->r15;
}

#else
#error "no system call table for this architecture yet"
#endif

#endif
