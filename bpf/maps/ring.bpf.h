/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one road to userspace. Size is set before load (CaptureOptions::ring_bytes). Full: the record
 * is lost and counted. Data never wakes the reader, which polls: a wake-up costs 3.8 us, charged to
 * the traced process.
 */
#ifndef SONDE_BPF_MAPS_RING_H
#define SONDE_BPF_MAPS_RING_H

#include "maps/drops.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} sonde_ring SEC(".maps");

#endif
