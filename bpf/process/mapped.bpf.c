// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Family mapped: which files a traced process has in its memory, from the first touch of each. So a
 * library is known some milliseconds before it is used, however it came there: at exec, by dlopen,
 * from another mount namespace. Nothing is polled and no system call is slowed.
 */
#include "core/sonde.bpf.h"
#include "maps/drops.bpf.h"
#include "maps/ring.bpf.h"
#include "maps/traced.bpf.h"

/* The number of a deleted file's inode comes again, mostly for a file of another size. Written by
 * userspace, too. */
struct sonde_file_key {
	__u64 inode;
	__u64 device;
	__u64 bytes;
};

struct sonde_mapped_key {
	__u64
	    start_ns; /* with exec_id: a program for good, though numbers of processes come again */
	__u64 exec_id;
	struct sonde_file_key file;
};

/* Told already. LRU: what falls out is told again, which is harmless. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sonde_mapped_key);
	__type(value, __u8);
} sonde_mapped_seen SEC(".maps");

/* Files that userspace has looked at and that hold nothing to probe: not told again, of any
 * process. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct sonde_file_key);
	__type(value, __u8);
} sonde_files_plain SEC(".maps");

/* Not inlined: so the object's BTF has the record's layout, which a test compares. */
static __noinline int sonde_mapped_fill(struct sonde_mapped_record *record,
					const struct sonde_file_key *file, __u32 tgid)
{
	__builtin_memset(record, 0, sizeof(*record));
	record->header.type = SONDE_RECORD_MAPPED;
	record->header.size = sizeof(*record);
	record->header.mono_ns = bpf_ktime_get_ns();
	record->inode = file->inode;
	record->device = file->device;
	record->tgid = tgid;
	return 0;
}

SEC("tp_btf/mm_filemap_map_pages")
int BPF_PROG(sonde_mapped, struct address_space *mapping, unsigned long start, unsigned long end)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sonde_mapped_record *record;
	struct sonde_mapped_key key = {};
	__u8 one = 1;

	if (!sonde_is_traced(task->tgid))
		return 0;
	key.file.inode = mapping->host->i_ino;
	key.file.device = mapping->host->i_sb->s_dev;
	key.file.bytes = mapping->host->i_size;
	if (bpf_map_lookup_elem(&sonde_files_plain, &key.file))
		return 0;
	key.start_ns = task->group_leader->start_boottime;
	key.exec_id = task->self_exec_id;
	if (bpf_map_lookup_elem(&sonde_mapped_seen, &key))
		return 0;
	record = bpf_ringbuf_reserve(&sonde_ring, sizeof(*record), 0);
	if (!record)
		return sonde_drop(SONDE_DROP_RING_FULL); /* tried again at the next touch */
	bpf_map_update_elem(&sonde_mapped_seen, &key, &one, BPF_ANY);
	sonde_mapped_fill(record, &key.file, task->tgid);
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	return 0;
}
