/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A record about a process: its identity filled in, the rest for the caller. Wakes the reader. */
#ifndef SONDE_BPF_PROCESS_RECORD_H
#define SONDE_BPF_PROCESS_RECORD_H

#include "core/sonde.bpf.h"
#include "maps/drops.bpf.h"
#include "maps/ring.bpf.h"

static __always_inline struct sonde_process_record *
sonde_process_begin(__u32 type, struct task_struct *task, bool traced)
{
	struct sonde_process_record *record;

	record = bpf_ringbuf_reserve(&sonde_ring, sizeof(*record), 0);
	if (!record) {
		sonde_drop(SONDE_DROP_RING_FULL);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->header.type = type;
	record->header.size = sizeof(*record);
	record->header.mono_ns = bpf_ktime_get_ns();
	record->tgid = SONDE_TASK(task, tgid);
	record->parent_tgid = BPF_CORE_READ(task, group_leader, real_parent, tgid);
	record->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	record->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	record->traced = traced;
	BPF_CORE_READ_STR_INTO(&record->comm, task, comm);
	return record;
}

static __always_inline int sonde_process_end(struct sonde_process_record *record)
{
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	return 0;
}

#endif
