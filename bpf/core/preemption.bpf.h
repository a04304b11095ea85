/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs of tracepoints that must not be interrupted by another task on their processor: what
 * they build stands in memory of the processor (maps/scratch.bpf.h), and the kernel leaves out a
 * run of a program that is at work there already. Up to Linux 6.19 the kernel calls them with
 * preemption off; from 7.0 on it may leave it on ("tracing: Guard __DECLARE_TRACE() use of
 * __DO_TRACE_CALL() with SRCU-fast"), and only keeps them on the processor.
 *
 * The functions are of Linux 6.10, and may be used around calls of global functions since the
 * verifier knows which of these may sleep (6.15); before, it removes them. Not for objects that
 * are for 5.13 to 5.15, too: these refuse a name that they do not know, wherever it stands.
 */
#ifndef SONDE_BPF_PREEMPTION_H
#define SONDE_BPF_PREEMPTION_H

#include "core/sonde.bpf.h"

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

static __always_inline void sonde_preemption_off(void)
{
	if (bpf_core_field_exists(struct bpf_subprog_info, might_sleep))
		bpf_preempt_disable();
}

static __always_inline void sonde_preemption_on(void)
{
	if (bpf_core_field_exists(struct bpf_subprog_info, might_sleep))
		bpf_preempt_enable();
}

#endif
