/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The numbers of the capture policy, in bytes, each with its reason.
 */
#ifndef SONDE_WIRE_CAPTURE_LIMITS_H
#define SONDE_WIRE_CAPTURE_LIMITS_H

/* Per direction, before a connection is called "other protocol": enough for any banner, cheap to be
 * wrong about. */
#define SONDE_UNKNOWN_BUDGET 512

/* Records up to this are copied whole: most heads are, and a scan would cost more than the copy. */
#define SONDE_SMALL_RECORD 1024

/* Where the end of a head is looked for in a larger record: four times the usual limit of a
 * cookie-laden head. */
#define SONDE_HEAD_SCAN 4096

/* Of the heads that end with their record so many are read for another one in it, and then one in
 * so many. */
#define SONDE_LOOK_FIRST 4
#define SONDE_LOOK_EVERY 32

/* Copied behind the end of a head: a chunk-size line, or enough to see that another message begins.
 */
#define SONDE_AFTER_HEAD 128

/* Head block limit of the HTTP parser (LimitOptions::max_head_bytes). */
#define SONDE_HEAD_BUDGET 65536

/* From a body: enough for a chunk-size line at its start ... */
#define SONDE_BODY_PREFIX 128

/* ... and for "CR LF 0 CR LF CR LF" with a small trailer at its end. */
#define SONDE_BODY_TAIL 32

/* From a chunk-size line inside a body: the line end before it, eight digits, a short extension. */
#define SONDE_CHUNK_LINE 32

/* Chunk-size lines followed in one call; behind the last one the walk ends. 64 of 1 KiB are what a
 * buffer of 64 KiB holds. */
#define SONDE_MAX_CHUNKS 64

/* HTTP/2 frames followed in one call; behind the last one the call is copied whole. gRPC writes the
 * frames of many calls at once: HEADERS, DATA and WINDOW_UPDATE of each. */
#define SONDE_MAX_FRAMES 512

/* The same in a small call, where a frame may be 9 bytes. */
#define SONDE_MAX_SMALL_FRAMES 128

/* Looked at of a call on a connection of another protocol: a small HEADERS frame and the header
 * behind it, by which a late attach knows HTTP/2. */
#define SONDE_OTHER_PREFIX 96

/* Bytes of a record that are sniffed. */
#define SONDE_SNIFF_BYTES 16

/*
 * Bytes captured in one record. The scratch buffer is twice this (the verifier adds offset and size
 * as if they were independent) and per-CPU map values are limited to 32 KiB. A larger capture
 * becomes several records.
 */
#define SONDE_PIECE_BYTES 8192

/* 64 KiB of head in pieces. */
#define SONDE_MAX_PIECES (SONDE_HEAD_BUDGET / SONDE_PIECE_BYTES)

/* In HTTP/1, userspace is asked again after so many records without a message start (WebSocket,
 * CONNECT); in other protocols, after so many calls. */
#define SONDE_ASK_EVERY 32

/* Type, version, length: RFC 8446 section 5.1. */
#define SONDE_TLS_RECORD_HEADER 5

/* iovec segments looked at together ... */
#define SONDE_MAX_SEGMENTS 64

/* ... and how often: 1024 segments are the kernel's own limit. gRPC writes up to 260 in one call.
 */
#define SONDE_MAX_WINDOWS 16

#endif
