/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Number of the kernel/user record schema, also written at the head of a recording.
 * Raise MAJOR when a field moves or changes its meaning (older recordings are refused), MINOR when
 * a record type, reason or field in reserved space is added (older recordings still replay).
 * tests/lint fails if an abi/ file changes alone.
 */
#ifndef SONDE_ABI_VERSION_H
#define SONDE_ABI_VERSION_H

#define SONDE_ABI_MAJOR 1
#define SONDE_ABI_MINOR 12

#endif
