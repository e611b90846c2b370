/* What the files of this room share; nobody else includes it.
 *
 * Threads: the loop's, except the fields under `mutex`.  I/O: none. */
#pragma once
#include "pkg/utils/base/list.h"
#include "pkg/utils/loop/loop.h"

#include <uv.h>

#define LOOP_READ_BYTES 65536u

struct loop_call {
    void (*call)(void *ctx);
    void *ctx;
};

struct loop_calls { /* Calls that wait, in order. */
    struct loop_call *items;
    size_t count, capacity;
};

struct sw_loop {
    uv_loop_t uv;
    uv_prepare_t prepare; /* Before the poll: ends the work of timers and closings. */
    uv_check_t check;     /* After the poll: ends the work of reads and posts. */
    uv_idle_t idle;       /* Runs only to keep the next poll from blocking. */
    uv_async_t async;
    uv_mutex_t mutex;         /* Guards `posted`. */
    struct loop_calls posted; /* By any thread. */
    struct loop_calls running, deferred, deferring;
    struct sw_list dirty; /* Streams with bytes to send at the end of the round. */
    struct sw_list streams, listeners, timers, children, signals, polls;
    bool is_freed; /* Inside sw_loop_free. */
    char read_bytes[LOOP_READ_BYTES];
};

/* The code of a libuv error number. */
enum sw_rc sw_loop_rc(int number);
/* As sw_err_errno for a libuv error number. */
enum sw_rc sw_loop_error(struct sw_err *err, int number, const char *words);
/* Send what the dirty streams hold. */
void sw_loop_flush(struct sw_loop *loop);
/* True inside sw_loop_free, when nothing new may begin. */
bool sw_loop_is_freed(const uv_loop_t *uv);

/* An unconnected stream of the kind, or NULL. Freed by closing it. */
struct sw_stream *sw_stream_make(struct sw_loop *loop, bool is_unix);
uv_stream_t *sw_stream_uv(struct sw_stream *stream);
/* Close for a reason; on_close gets rc. */
void sw_stream_fail(struct sw_stream *stream, enum sw_rc rc);

struct loop_address { /* A parsed address. */
    bool is_unix;
    bool is_name;
    struct sockaddr_storage socket; /* Of numbers. */
    char host[256];                 /* The path, or the name to look up. */
    char port[8];
};
/* SW_E_INVALID: not an address. */
SW_MUST_CHECK enum sw_rc sw_loop_address_parse(const char *text, struct loop_address *ret_address,
                                               struct sw_err *err);

void sw_loop_close_streams(struct sw_loop *loop);
void sw_loop_close_listeners(struct sw_loop *loop);
void sw_loop_stop_timers(struct sw_loop *loop);
void sw_loop_close_timers(struct sw_loop *loop);
void sw_loop_close_children(struct sw_loop *loop);
void sw_loop_close_signals(struct sw_loop *loop);
void sw_loop_close_polls(struct sw_loop *loop);
