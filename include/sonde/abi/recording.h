/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A recording (sonde run --record FILE): this header, then records as they came from the ring
 * buffer, one after the other, and records that userspace adds. Little-endian, every record a
 * multiple of 8 bytes.
 */
#ifndef SONDE_ABI_RECORDING_H
#define SONDE_ABI_RECORDING_H

#include <linux/types.h>
#include <sonde/abi/record.h>

#define SONDE_RECORDING_MAGIC "SONDEREC"

struct sonde_recording_header {
	char magic[8];
	__u16 abi_major; /* another major number: refused */
	__u16 abi_minor;
	__u32 reserved;
	__s64 wall_minus_mono_ns; /* turns the records' clock into Unix time */
};

/* Types from here on are written by userspace and never cross the ring. */
#define SONDE_RECORD_USER_FIRST 1000

enum sonde_user_record_type {
	SONDE_RECORD_RESOURCE = 1000, /* what was found out about a process */
};

/* Followed by json_bytes of UTF-8 text, then zeros up to a multiple of 8. */
struct sonde_resource_record {
	struct sonde_record_header header;
	__u32 tgid;
	__u32 json_bytes;
};

/* No record is larger: it bounds what a reader has to keep. */
#define SONDE_MAX_RECORD_BYTES (1 << 20)

#define SONDE_RECORDING_HEADER_BYTES 24
#define SONDE_RESOURCE_RECORD_BYTES  24

#endif
