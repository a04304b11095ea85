// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Follows processes: the traced flag goes from parent to child before the child runs, and ends with
 * the process. These records wake the reader at once, because userspace wants to read /proc while
 * the process is still there.
 */
#include "core/sonde.bpf.h"
#include "maps/runtimes.bpf.h"
#include "maps/traced.bpf.h"
#include "process/record.bpf.h"

/* The child's memory is a copy of its parent's, runtime and all. The flags it begins with. */
static __always_inline __u32 sonde_inherit(__u32 parent_tgid, __u32 tgid, __u32 parent_flags)
{
	struct sonde_runtime *runtime;

	if (!(parent_flags & SONDE_TRACED_RUNTIME))
		return SONDE_TRACED;
	runtime = sonde_runtime_of(parent_tgid);
	if (!runtime || bpf_map_update_elem(&sonde_runtimes, &tgid, runtime, BPF_ANY))
		return SONDE_TRACED;
	return SONDE_TRACED | SONDE_TRACED_RUNTIME;
}

/* Another program, or none. */
static __always_inline void sonde_runtime_forget(__u32 tgid, __u32 *flags)
{
	if (!(*flags & SONDE_TRACED_RUNTIME))
		return;
	*flags &= ~SONDE_TRACED_RUNTIME;
	bpf_map_delete_elem(&sonde_runtimes, &tgid);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(sonde_fork, struct task_struct *parent, struct task_struct *child)
{
	struct sonde_process_record *record;
	__u32 parent_tgid = parent->tgid;
	__u32 tgid = child->tgid;
	__u32 *parent_flags, flag;
	bool traced = true;

	if (tgid == parent_tgid)
		return 0; /* a thread */
	parent_flags = sonde_traced_flags(parent_tgid);
	if (!parent_flags)
		return 0;
	flag = sonde_inherit(parent_tgid, tgid, *parent_flags);
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
	__u32 *flags = sonde_traced_flags(task->tgid);
	bool traced = flags != 0;
	long size;

	if (flags)
		sonde_runtime_forget(task->tgid, flags);
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
	__u32 *flags;

	if (task->signal->live.counter > 0)
		return 0;
	flags = sonde_traced_flags(tgid);
	if (!flags)
		return 0;
	sonde_runtime_forget(tgid, flags);
	/* Two last threads may both see none alive: the one that deletes the flag speaks. */
	if (bpf_map_delete_elem(&sonde_traced, &tgid))
		return 0;
	record = sonde_process_begin(SONDE_RECORD_EXIT, task, true);
	if (!record)
		return 0;
	record->exit_code = sonde_exit_code(task);
	return sonde_process_end(record);
}
