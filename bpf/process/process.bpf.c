// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Follows processes: the traced flag goes from parent to child before the child runs, and ends with
 * the process. These records wake the reader at once, because userspace wants to read /proc while
 * the process is still there.
 */
#include "core/sonde.bpf.h"
#include "maps/traced.bpf.h"
#include "process/record.bpf.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(sonde_fork, struct task_struct *parent, struct task_struct *child)
{
	struct sonde_process_record *record;
	__u32 parent_tgid = parent->tgid;
	__u32 tgid = child->tgid;
	__u32 flag = SONDE_TRACED;
	bool traced = true;

	if (tgid == parent_tgid || !sonde_is_traced(parent_tgid))
		return 0; /* a thread, or nobody we know */
	if (bpf_map_update_elem(&sonde_traced, &tgid, &flag, BPF_ANY)) {
		sonde_drop(SONDE_DROP_PROCESS_MAP_FULL);
		traced = false;
	}
	record = sonde_process_begin(SONDE_RECORD_FORK, child, traced);
	if (!record)
		return 0;
	/* CLONE_PARENT makes a sibling; who forked is what matters here. */
	record->parent_tgid = parent_tgid;
	return sonde_process_end(record);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(sonde_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct sonde_process_record *record;
	bool traced = sonde_is_traced(task->tgid);
	long size;

	if (!traced && !sonde_settings.watch_exec)
		return 0;
	record = sonde_process_begin(SONDE_RECORD_EXEC, task, traced);
	if (!record)
		return 0;
	size = bpf_probe_read_kernel_str(record->program, sizeof(record->program), bprm->filename);
	record->program_bytes = size > 0 ? size - 1 : 0; /* without the NUL */
	return sonde_process_end(record);
}

/* As wait(2) encodes it: of the group if it was ended as one. */
static __always_inline __u16 sonde_exit_code(struct task_struct *task)
{
	if (task->signal->flags & SONDE_SIGNAL_GROUP_EXIT)
		return task->signal->group_exit_code;
	return task->exit_code;
}

/* Newer kernels pass a second argument, which is not needed: the count of live threads says the
 * same. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(sonde_exit, struct task_struct *task)
{
	struct sonde_process_record *record;
	__u32 tgid = task->tgid;

	if (task->signal->live.counter > 0 || !sonde_is_traced(tgid))
		return 0;
	/* Two last threads may both see none alive: the one that deletes the flag speaks. */
	if (bpf_map_delete_elem(&sonde_traced, &tgid))
		return 0;
	record = sonde_process_begin(SONDE_RECORD_EXIT, task, true);
	if (!record)
		return 0;
	record->exit_code = sonde_exit_code(task);
	return sonde_process_end(record);
}
