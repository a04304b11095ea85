// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Family tls: uprobes at the edge of TLS libraries, where plain text passes. Which instructions,
 * and how they are read, userspace finds per binary (probes/tls) and names by the probe's cookie,
 * an index of sonde_tls_probes. The breakpoints are in every process that uses the file; those that
 * are not traced leave at the first lookup.
 */
#include "core/sonde.bpf.h"
#include "maps/traced.bpf.h"
#include "tls/owned.bpf.h"
#include "tls/text.bpf.h"

/* Written by userspace before the probe is attached; later only `owned`, by the program itself. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct sonde_tls_probe);
} sonde_tls_probes SEC(".maps");

/*
 * A call that is followed to its return. Key: thread; written at entry, deleted at return. LRU,
 * because a thread may die inside a call.
 */
struct sonde_tls_call {
	struct sonde_tls_moved moved;
	__u64 count; /* address of the number of bytes */
	__u32 probe;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct sonde_tls_call);
} sonde_tls_calls SEC(".maps");

static __always_inline __u64 sonde_place(const struct sonde_place *place,
					 const struct sonde_registers *registers)
{
	__u64 value = sonde_register(registers, place->from) + (__s64)place->offset;

	if (place->memory)
		value = sonde_word(value);
	return place->narrow ? (__u32)value : value;
}

/* What the probe's places say at this moment. */
static __always_inline void sonde_tls_read(struct sonde_tls_moved *moved,
					   const struct sonde_tls_probe *probe,
					   const struct sonde_registers *registers)
{
	__u64 pieces[4]; /* array, number, first byte, end: see sonde_tls_probe.chunks */

	moved->object = sonde_place(&probe->object, registers);
	moved->text = sonde_place(&probe->text, registers);
	moved->length = sonde_place(&probe->length, registers);
	if (probe->chunks &&
	    !bpf_probe_read_user(pieces, sizeof(pieces),
				 (void *)(sonde_register(registers, probe->text.from) +
					  (__s64)probe->text.offset - sizeof(__u64))) &&
	    pieces[0]) {
		moved->text = pieces[0];
		moved->pieces = pieces[1];
		moved->skip = pieces[2];
		moved->length = pieces[3] - pieces[2];
	}
	if (probe->at_most && moved->length > probe->at_most)
		moved->length = probe->at_most;
}

/* What call->probe reads at this instruction; false: it is not to be read. Not inlined: the
 * registers need not be on the stack when the text is sent. */
static __noinline bool sonde_tls_read_call(struct sonde_tls_call *call,
					   struct sonde_tls_probe *probe,
					   struct sonde_tls_object *object, struct pt_regs *ctx)
{
	struct sonde_tls_moved *moved = &call->moved;
	struct sonde_registers registers;

	sonde_registers_read(&registers, ctx);
	if (probe->has_unless && sonde_place(&probe->unless, &registers))
		return false;
	sonde_tls_read(moved, probe, &registers);
	moved->object = sonde_object_name(probe, call->probe, moved->object, SONDE_REG_IP(ctx));
	if (probe->returned == SONDE_RETURNED_COUNT)
		call->count = sonde_place(&probe->count, &registers);
	sonde_object_look(object, probe, moved->object);
	return true;
}

/* How much of the text the call took or gave, now that it returns. */
static __always_inline long sonde_tls_accepted(const struct sonde_tls_probe *probe,
					       const struct sonde_tls_call *call, long returned)
{
	if (probe->returned == SONDE_RETURNED_COUNT)
		return (int)returned > 0 ? (long)sonde_word(call->count) : 0;
	return probe->length.narrow ? (int)returned : returned;
}

static __always_inline int sonde_tls_at(struct pt_regs *ctx, struct sonde_tls_room *room,
					__u32 *traced)
{
	struct sonde_tls_call call = {.probe = bpf_get_attach_cookie(ctx)};
	struct sonde_tls_probe *probe = bpf_map_lookup_elem(&sonde_tls_probes, &call.probe);

	if (!probe || !sonde_tls_read_call(&call, probe, &room->object, ctx))
		return 0;
	return sonde_text_moved(probe, &call.moved, room, traced);
}

/* 1: the call must be followed to its return. */
static __always_inline int sonde_tls_entered(struct pt_regs *ctx, struct sonde_tls_room *room,
					     __u32 *traced)
{
	struct sonde_tls_call call = {.probe = bpf_get_attach_cookie(ctx)};
	struct sonde_tls_probe *probe = bpf_map_lookup_elem(&sonde_tls_probes, &call.probe);
	__u64 thread = bpf_get_current_pid_tgid();

	if (!probe || !sonde_tls_read_call(&call, probe, &room->object, ctx))
		return 0;
	if (call.moved.length <= probe->entire &&
	    (probe->unready == SONDE_NOWHERE ||
	     !sonde_object_number(&room->object, probe->unready)))
		return sonde_text_moved(probe, &call.moved, room, traced);
	return !bpf_map_update_elem(&sonde_tls_calls, &thread, &call, BPF_ANY);
}

static __always_inline int sonde_tls_left(struct pt_regs *ctx, struct sonde_tls_room *room,
					  __u32 *traced)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct sonde_tls_call *saved = bpf_map_lookup_elem(&sonde_tls_calls, &thread);
	struct sonde_tls_probe *probe;
	struct sonde_tls_call call;
	long moved;

	if (!saved)
		return 0;
	call = *saved;
	bpf_map_delete_elem(&sonde_tls_calls, &thread);
	probe = bpf_map_lookup_elem(&sonde_tls_probes, &call.probe);
	if (!probe)
		return 0;
	moved = sonde_tls_accepted(probe, &call, SONDE_REG_RETURN(ctx));
	if (moved <= 0)
		return 0;
	if ((__u64)moved > call.moved.length)
		return sonde_drop(SONDE_DROP_TEXT_UNREADABLE);
	call.moved.length = moved;
	sonde_object_look(&room->object, probe, call.moved.object);
	return sonde_text_moved(probe, &call.moved, room, traced);
}

enum sonde_tls_step {
	SONDE_TLS_AT,      /* the text is moved at this instruction */
	SONDE_TLS_ENTERED, /* entry of a call */
	SONDE_TLS_LEFT,    /* its return */
};

/* What the step says: 1 only for a call that must be followed. */
static __always_inline int sonde_tls_run(struct pt_regs *ctx, enum sonde_tls_step step)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 *traced = sonde_traced_flags(thread >> 32);
	struct sonde_tls_room *room;
	int result;

	if (!traced)
		return 0;
	room = sonde_tls_room_take();
	if (!room) {
		/* Another call's return must not be taken for this one's. */
		if (step == SONDE_TLS_LEFT)
			bpf_map_delete_elem(&sonde_tls_calls, &thread);
		return 0;
	}
	if (step == SONDE_TLS_AT)
		result = sonde_tls_at(ctx, room, traced);
	else if (step == SONDE_TLS_ENTERED)
		result = sonde_tls_entered(ctx, room, traced);
	else
		result = sonde_tls_left(ctx, room, traced);
	sonde_tls_room_leave(room);
	return result;
}

SEC("uprobe")
int sonde_tls_text(struct pt_regs *ctx)
{
	return sonde_tls_run(ctx, SONDE_TLS_AT);
}

/* Session (Linux 6.13): runs at entry, and at the return only of calls for which it says so. Which
 * of both it is shows in the registers: at the return they are in the caller already. The kernel's
 * own function for it has had two prototypes. */
SEC("uprobe")
int sonde_tls_call(struct pt_regs *ctx)
{
	if (SONDE_REG_IP(ctx) != bpf_get_func_ip(ctx))
		return sonde_tls_run(ctx, SONDE_TLS_LEFT);
	return !sonde_tls_run(ctx, SONDE_TLS_ENTERED);
}

/* Without sessions: two probes, and the return costs even when it is not needed. */
SEC("uprobe")
int sonde_tls_enter(struct pt_regs *ctx)
{
	sonde_tls_run(ctx, SONDE_TLS_ENTERED);
	return 0;
}

SEC("uretprobe")
int sonde_tls_leave(struct pt_regs *ctx)
{
	return sonde_tls_run(ctx, SONDE_TLS_LEFT);
}
