/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Room to look at a TLS object and to build the record of its text: too large for the stack. */
#ifndef SONDE_BPF_TLS_ROOM_H
#define SONDE_BPF_TLS_ROOM_H

#include "core/sonde.bpf.h"
#include "core/user.bpf.h"
#include "maps/drops.bpf.h"
#include "maps/scratch.bpf.h"

/* A TLS object in the memory of the process. Its first bytes are read at once where all that is
 * asked of it is within them: one read of user memory costs as much as copying a kilobyte. */
struct sonde_tls_object {
	__u64 address;
	__u64 held; /* so many of `bytes` were read */
	__u8 bytes[SONDE_TLS_OBJECT_BYTES];
};

/*
 * A uprobe's program can be preempted, so a processor has two, each used by one program at a time;
 * more at once is a loss, counted.
 */
struct sonde_tls_room {
	struct sonde_scratch scratch;
	struct sonde_tls_object object;
	__u32 busy;
	__u32 reserved;
};

#define SONDE_TLS_ROOMS 2

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SONDE_TLS_ROOMS);
	__type(key, __u32);
	__type(value, struct sonde_tls_room);
} sonde_tls_rooms SEC(".maps");

static __always_inline struct sonde_tls_room *sonde_tls_room_take(void)
{
	__u32 i;

	for (i = 0; i < SONDE_TLS_ROOMS; i++) {
		__u32 key = i;
		struct sonde_tls_room *room = bpf_map_lookup_elem(&sonde_tls_rooms, &key);

		if (room && !sonde_swap(&room->busy, 1))
			return room;
	}
	sonde_drop(SONDE_DROP_BUSY);
	return 0;
}

static __always_inline void sonde_tls_room_leave(struct sonde_tls_room *room)
{
	sonde_swap(&room->busy, 0);
}

static __always_inline void sonde_object_look(struct sonde_tls_object *object,
					      const struct sonde_tls_probe *probe, __u64 address)
{
	__u32 count = probe->object_bytes;

	object->address = address;
	object->held = 0;
	if (!count)
		return;
	barrier_var(count);
	if (count > SONDE_TLS_OBJECT_BYTES) /* never; for the verifier */
		return;
	if (!bpf_probe_read_user(object->bytes, count, (void *)address))
		object->held = count;
}

/* Copies what stands at `offset`. False: it could not be read. `size` is a
 * constant. */
static __always_inline bool sonde_object_read(const struct sonde_tls_object *object, __s32 offset,
					      void *to, __u32 size)
{
	__u64 at = (__u32)offset;

	barrier_var(at);
	if (at > SONDE_TLS_OBJECT_BYTES - size || at + size > object->held)
		return !bpf_probe_read_user(to, size, (void *)(object->address + (__s64)offset));
	__builtin_memcpy(to, object->bytes + at, size);
	return true;
}

/* 0: it could not be read. */
static __always_inline __u64 sonde_object_word(const struct sonde_tls_object *object, __s32 offset)
{
	__u64 value = 0;

	sonde_object_read(object, offset, &value, sizeof(value));
	return value;
}

static __always_inline __u32 sonde_object_number(const struct sonde_tls_object *object,
						 __s32 offset)
{
	__u32 value = 0;

	sonde_object_read(object, offset, &value, sizeof(value));
	return value;
}

#endif
