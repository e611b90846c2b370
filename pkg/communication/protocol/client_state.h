/* What the two files of the client share: client.c keeps the calls, client_link.c the connection.
 * For the files of this room only. Threads: the loop's.  I/O: none here. */
#pragma once
#include "pkg/communication/protocol/client.h"
#include "pkg/communication/protocol/link.h"
#include "pkg/utils/base/heap.h"
#include "pkg/utils/base/list.h"

#include <nghttp2/nghttp2.h>

#define CALL_HEADERS_MAX 64u
#define CALL_HEADER_BYTES_MAX 65536u

struct client_link; /* One connection, until its stream is gone. */

struct sw_http_call {
    struct sw_list node; /* In client->waiting or client->sent. */
    struct sw_heap_entry deadline;
    struct sw_http_client *client;
    struct sw_http_call_options options; /* Texts are in the arena. */
    struct sw_arena *arena;
    struct sw_buffer reply;
    struct sw_http_header headers[CALL_HEADERS_MAX]; /* Of the reply, then its trailers. */
    size_t headers_count, header_bytes, body_at;
    int32_t stream_id; /* 0: not sent. */
    int status;
    bool has_headers; /* The reply's have been told; what follows are trailers. */
    bool is_whole;    /* The reply has ended. */
    enum sw_rc rc;    /* Why the stream was given up. */
};

struct sw_http_client {
    struct sw_http_client_options options; /* Texts are owned. */
    struct link_method *link_method;
    nghttp2_session_callbacks *callbacks;
    struct sw_list waiting, sent;
    struct sw_list spares; /* Calls that have ended, with their memory. */
    struct sw_heap deadlines;
    struct sw_timer *timer;
    struct client_link *link; /* NULL: not connected. */
    size_t calls_count, spares_count, references;
    bool is_pump_due, is_freed;
    char trouble[SW_ERR_MESSAGE_MAX];
};

/* --- client.c --- */
void sw_http_client_unref(struct sw_http_client *client);
/* Send what waits, at the end of the round. */
void sw_http_client_wake(struct sw_http_client *client);
/* The connection is gone: every call on it ends, and those that wait too if it never opened. */
void sw_http_client_lost(struct sw_http_client *client, enum sw_rc rc, bool was_open);
/* End a call. */
void sw_http_call_done(struct sw_http_call *call, enum sw_rc rc);
/* The client's host without its port. */
void sw_http_client_host(const struct sw_http_client *client, char *ret_host, size_t size);

/* --- client_link.c --- */
/* Begin to connect; errors come through sw_http_client_lost. */
void sw_client_link_open(struct sw_http_client *client);
bool sw_client_link_is_open(const struct client_link *link);
/* Hand a call to HTTP/2. Errors end the call. */
void sw_client_link_submit(struct client_link *link, struct sw_http_call *call);
void sw_client_link_reset(struct client_link *link, struct sw_http_call *call);
void sw_client_link_flush(struct client_link *link);
/* Close it; the client hears no more of it. */
void sw_client_link_close(struct client_link *link);
SW_MUST_CHECK enum sw_rc sw_client_link_setup(struct sw_http_client *client);
