/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a TLS object to its connection, by the strongest evidence there is: the client random; the
 * file descriptor that the object holds; else the object names a stream of its own, whose socket is
 * not known and is said not to be.
 */
#ifndef SONDE_BPF_TLS_OBJECT_H
#define SONDE_BPF_TLS_OBJECT_H

#include "core/sonde.bpf.h"
#include "core/user.bpf.h"
#include "maps/texts.bpf.h"
#include "socket/fd.bpf.h"
#include "socket/go_fd.bpf.h"
#include "tls/beside.bpf.h"
#include "tls/room.bpf.h"

/* Bit of a BIO's type: it is one of a descriptor (BIO_TYPE_DESCRIPTOR, openssl/bio.h). */
#define SONDE_BIO_DESCRIPTOR 0x100
#define SONDE_BIO_MEMORY     0x401

static __always_inline __u32 sonde_bio_type(const struct sonde_tls_probe *probe,
					    const struct sonde_tls_object *object)
{
	__u64 bio = sonde_object_word(object, probe->bio);

	return sonde_number(sonde_word(bio + probe->bio_method));
}

/* Does it write to something that can refuse? Not if that is memory, or is not known. */
static __always_inline bool sonde_bio_may_wait(const struct sonde_tls_probe *probe,
					       const struct sonde_tls_object *object)
{
	__u32 type;

	if (probe->bio == SONDE_NOWHERE || probe->bio_method == SONDE_NOWHERE)
		return false;
	type = sonde_bio_type(probe, object);
	return type && type != SONDE_BIO_MEMORY;
}

/* The descriptor the object writes to, -1 if it does not tell. */
static __always_inline int sonde_tls_fd(const struct sonde_tls_probe *probe,
					const struct sonde_tls_object *object)
{
	__u64 bio;

	if (probe->fd == SONDE_TLS_FD_BIO) {
		if (!(sonde_bio_type(probe, object) & SONDE_BIO_DESCRIPTOR))
			return -1;
		bio = sonde_object_word(object, probe->bio);
		return (int)sonde_number(bio + probe->bio_fd);
	}
	if (probe->fd == SONDE_TLS_FD_GO) {
		return sonde_go_fd(object->address);
	}
	return -1;
}

/* The client random that the object keeps, as the key of its connection's text, if that is the
 * server's end. False: it tells none. */
static __always_inline bool sonde_text_random(const struct sonde_tls_probe *probe,
					      const struct sonde_tls_object *object,
					      struct sonde_text_key *key)
{
	key->tgid = bpf_get_current_pid_tgid() >> 32;
	key->kind = SONDE_TEXT_SERVER;
	if (probe->random == SONDE_NOWHERE)
		return false;
	if (probe->random_pointer == SONDE_NOWHERE) {
		key->name[0] = sonde_object_word(object, probe->random);
		key->name[1] = sonde_object_word(object, probe->random + 8);
	} else if (bpf_probe_read_user(key->name, sizeof(key->name),
				       (void *)(sonde_object_word(object, probe->random_pointer) +
						(__s64)probe->random))) {
		return false;
	}
	if (probe->server != SONDE_NOWHERE && !sonde_object_number(object, probe->server))
		key->kind = SONDE_TEXT_CLIENT;
	return key->name[0] != 0;
}

static __always_inline struct sonde_text *sonde_text_by_random(const struct sonde_tls_probe *probe,
							       const struct sonde_text_key *random)
{
	struct sonde_text_key key = *random;
	struct sonde_text *client, *server;

	server = bpf_map_lookup_elem(&sonde_texts, &key);
	if (probe->server != SONDE_NOWHERE)
		return server;
	key.kind = SONDE_TEXT_CLIENT;
	client = bpf_map_lookup_elem(&sonde_texts, &key);
	if (client && server)
		return 0; /* both ends in one process, and no telling which this is */
	return client ? client : server;
}

/*
 * The text of the socket with this descriptor. With `random`, which says which end it is, a new one
 * gets that name: then its descriptor is not looked for again.
 */
static __always_inline struct sonde_text *sonde_text_by_fd(const struct sonde_tls_probe *probe,
							   const struct sonde_tls_object *object,
							   const struct sonde_text_key *random)
{
	struct sonde_text_key key = {.kind = SONDE_TEXT_INODE};
	struct sonde_fd_call found = {};
	struct sonde_text_key *bound;
	struct sonde_text *text;
	struct sock *sk;
	__u64 inode;
	int fd = sonde_tls_fd(probe, object);

	if (fd < 0)
		return 0;
	found.fd = fd;
	if (!sonde_fd_socket(&found))
		return 0;
	inode = found.inode;
	key.name[0] = inode;
	bound = bpf_map_lookup_elem(&sonde_texts_bound, &inode);
	text = bpf_map_lookup_elem(&sonde_texts, bound ? bound : &key);
	if (text && text->socket.inode == inode)
		return text;
	if (bound) /* to what is forgotten, or another's by now */
		bpf_map_delete_elem(&sonde_texts_bound, &inode);
	if (random)
		key = *random;
	sk = found.sk;
	text = sonde_text_create(&key, sonde_inode_id(inode), inode, (__u64)sk);
	if (!text)
		return 0;
	if (random)
		bpf_map_update_elem(&sonde_texts_bound, &inode, &key, BPF_ANY);
	if (!sonde_wants_ports(found.family, BPF_CORE_READ(sk, __sk_common.skc_num),
			       __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport))))
		text->socket.capture.socket_class = SONDE_CLASS_REFUSED;
	sonde_count(SONDE_COUNT_TLS_BY_FD);
	return text;
}

/* Addresses are used again: a number made of address and process, not a name for good. It ends with
 * its socket, once that is found by what is beside it. `traced`: flags of the process. */
static __always_inline struct sonde_text *
sonde_text_by_object(const struct sonde_tls_probe *probe, __u64 object, __u32 *traced, __u32 length)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct sonde_text_key key = {.name = {object, 0}, .tgid = tgid, .kind = SONDE_TEXT_OBJECT};
	struct sonde_text *text = bpf_map_lookup_elem(&sonde_texts, &key);

	if (!text || (text->sk && !sonde_text_socket_lives(text))) {
		text = sonde_text_create(&key, (object ^ (__u64)tgid << 40) | 1ULL << 61, 0, 0);
		if (!text)
			return 0;
		*traced |= SONDE_TRACED_SEEKS | SONDE_TRACED_FINDS;
		sonde_count(SONDE_COUNT_TLS_NO_SOCKET);
		/* A port was asked for, and this one's is not known. */
		if (sonde_settings.port_range_count)
			text->socket.capture.socket_class = SONDE_CLASS_REFUSED;
	}
	if (!text->sk)
		sonde_beside_text(text, &key, probe->direction, length);
	return text;
}

/* Not inlined: its keys need not be on the stack when the text is sent. */
static __noinline struct sonde_text *sonde_text_find(const struct sonde_tls_probe *probe,
						     const struct sonde_tls_object *object,
						     __u32 *traced, __u32 length)
{
	struct sonde_text_key random = {};
	struct sonde_text *text = 0;
	bool has_random;

	has_random = sonde_text_random(probe, object, &random);
	if (has_random)
		text = sonde_text_by_random(probe, &random);
	if (!text)
		text = sonde_text_by_fd(probe, object,
					has_random && probe->server != SONDE_NOWHERE ? &random : 0);
	if (!text)
		return sonde_text_by_object(probe, object->address, traced, length);
	/* The first text of a process whose objects name their sockets: they do not look for them.
	 */
	if (!(*traced & SONDE_TRACED_FINDS))
		*traced = (*traced | SONDE_TRACED_FINDS) & ~SONDE_TRACED_SEEKS;
	return text;
}

#endif
