/* One TLS session over a byte stream, or none: bytes of the wire in, clear bytes out, and back.
 *
 * OpenSSL reads from the bytes being fed and writes straight into the stream's queue through a BIO
 * of our own, so nothing is copied twice. For the files of this room only.
 * Threads: the loop's.  I/O: writes to its stream.  Limits: the stream's write_max. */
#pragma once
#include "pkg/security/tls/tls.h"
#include "pkg/utils/loop/loop.h"

#define LINK_RECORD_BYTES 16384u

struct link {
    struct ssl_st *ssl;       /* NULL: clear text. */
    struct sw_stream *stream; /* NULL: what is written is dropped (fuzzing). */
    struct sw_bytes in;       /* Fed and not yet read. */
    bool is_open;             /* The handshake is done. */
    bool has_ended;           /* The peer sent close_notify. */
};

/* What the links of a server or client share. */
struct link_method;                           /* Opaque. */
struct link_method *sw_link_method_new(void); /* NULL: no memory. */
void sw_link_method_free(struct link_method *method);

/* Begin. A client names the server and its hello is sent at once. */
SW_MUST_CHECK enum sw_rc sw_link_init(struct link *link, const struct link_method *method,
                                      const struct sw_tls_context *tls, const char *server_name,
                                      uint64_t now_ns, struct sw_err *err);
void sw_link_done(struct link *link);
/* Give it bytes of the wire, borrowed until sw_link_read has returned 0. */
void sw_link_feed(struct link *link, struct sw_bytes bytes);
/* Up to size clear bytes; *ret_size is 0 when more of the wire is needed, or the peer has ended.
 * Other errors than SW_OK: the session is broken. */
SW_MUST_CHECK enum sw_rc sw_link_read(struct link *link, void *ret_bytes, size_t size,
                                      size_t *ret_size, struct sw_err *err);
/* Send clear bytes; the stream must have room for them and LINK_RECORD_BYTES / 16 more. */
SW_MUST_CHECK enum sw_rc sw_link_write(struct link *link, const void *bytes, size_t size);
/* Tell the peer that no more will come. */
void sw_link_shut(struct link *link);
