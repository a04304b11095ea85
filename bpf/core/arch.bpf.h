/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What differs between processors: system call numbers, where their arguments are, and how to know
 * that a task is inside the call its registers show. One block per architecture; nothing else in
 * bpf/ knows a register's name.
 */
#ifndef SONDE_BPF_ARCH_H
#define SONDE_BPF_ARCH_H

#include "core/base.bpf.h"
#include "core/kernel_types.bpf.h"

#include <bpf/bpf_helpers.h>

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
#define SONDE_TASK_COMPAT(task) (SONDE_TASK(task, thread_info.status) & 2)

/* Where user space finds what is the thread's own (fs base). */
#define SONDE_THREAD_POINTER(task) ((__u64)SONDE_TASK(task, thread.fsbase))

/* By enum sonde_register. All are copied, because which one is wanted is known at run time only,
 * and the context may not be read at such an offset. */
struct sonde_registers {
	__u64 value[16];
};

#define SONDE_REG_RETURN(regs) ((regs)->ax)
#define SONDE_REG_IP(regs)     ((regs)->ip)

static __always_inline __u64 sonde_register(const struct sonde_registers *registers, __u8 number)
{
	return registers->value[number & 15];
}

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

#elif defined(__TARGET_ARCH_arm64)

/* In the kernel the first four are in a union with struct user_pt_regs, which is all that the
 * context of a uprobe has: what comes after them is for tracepoints only. */
struct pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
	__u64 orig_x0;
	__s32 syscallno;
} __attribute__((preserve_access_index));

/* asm-generic/unistd.h */
#define SONDE_NR_READ              63
#define SONDE_NR_WRITE             64
#define SONDE_NR_READV             65
#define SONDE_NR_WRITEV            66
#define SONDE_NR_SENDFILE          71
#define SONDE_NR_SPLICE            76
#define SONDE_NR_SENDTO            206
#define SONDE_NR_RECVFROM          207
#define SONDE_NR_SENDMSG           211
#define SONDE_NR_RECVMSG           212
#define SONDE_NR_RECVMMSG          243
#define SONDE_NR_SENDMMSG          269

/* x0 is the first argument and then the result, so the entry code keeps the argument beside it. */
#define SONDE_REG_NR(from)         ((__u64)(from)->syscallno)
#define SONDE_REG_ARG1(from)       ((from)->orig_x0)
#define SONDE_REG_ARG2(from)       ((from)->regs[1])
#define SONDE_REG_ARG3(from)       ((from)->regs[2])
#define SONDE_REG_ARG4(from)       ((from)->regs[3])
#define SONDE_REG_ARG5(from)       ((from)->regs[4])

/*
 * Every entry but that of a system call stores -1 as the number, and the result replaces the first
 * argument when the call has returned. A call whose result is the number of its descriptor is the
 * one that is not told apart from what io_uring does on the way back to user mode.
 */
#define SONDE_REG_IN_CALL(from)    ((from)->syscallno != -1 && (from)->regs[0] == (from)->orig_x0)

/* thread_info.flags: a 32-bit program, with other numbers (TIF_32BIT). */
#define SONDE_TASK_COMPAT(task)    (SONDE_TASK(task, thread_info.flags) & (1UL << 22))

/*
 * Where user space finds what is the thread's own (tpidr_el0). Programs set the register without
 * the kernel; it is copied here whenever the thread stops running, so it is right for every thread
 * that was started with one (CLONE_SETTLS), and for the first from its first pause.
 */
#define SONDE_THREAD_POINTER(task) ((__u64)SONDE_TASK(task, thread.uw.tp_value))

/* Where the thread's registers are: x0 to x30 are 0 to 30, and the stack pointer is 31. So many are
 * not copied to the stack of a program. */
struct sonde_registers {
	__u64 from;
};

#define SONDE_REG_RETURN(from) ((from)->regs[0])
#define SONDE_REG_IP(from)     ((from)->pc)

static __always_inline __u64 sonde_register(const struct sonde_registers *registers, __u8 number)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value),
			      (void *)(registers->from + (number & 31) * sizeof(value)));
	return value;
}

/* A uprobe's context is the registers with which the thread came from user space. */
static __always_inline void sonde_registers_read(struct sonde_registers *to, struct pt_regs *regs)
{
	to->from = (__u64)bpf_task_pt_regs(bpf_get_current_task_btf());
}

#else
#error "no system call table for this architecture yet"
#endif

#endif
