/* The event loop of a daemon or client: timers, wake-ups, streams, child processes, blocking work.
 *
 * One thread runs a loop and owns everything made on it; sw_loop_post is the only call allowed from
 * other threads. Callbacks run on the loop's thread, never from inside the call that asks for them.
 * Threads: one loop, one thread.  I/O: all sockets and processes (this is part of the seam).
 * SIGPIPE is ignored in the whole process once a loop exists.
 * Limits: a stream buffers at most its write_max bytes. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_LOOP_CALLS_MAX (1u << 20) /* Posted, and deferred, calls that may wait. */

struct sw_loop;     /* Opaque. */
struct sw_timer;    /* Opaque; owned by the loop's user, ends with sw_timer_free. */
struct sw_stream;   /* Opaque; a connected TCP or Unix socket. */
struct sw_listener; /* Opaque. */
struct sw_child;    /* Opaque; a process that was started. */
struct sw_poll;     /* Opaque; readiness of a socket of somebody else's. */

SW_MUST_CHECK enum sw_rc sw_loop_new(struct sw_loop **ret_loop, struct sw_err *err);
/* Close all that is still open on the loop (streams get on_close with SW_E_CANCELLED, children are
 * killed) and free it. Deferred calls still run, posted ones that have not run are dropped; timers
 * and polls that their owners have not freed are freed here. Not from inside a callback. */
void sw_loop_free(struct sw_loop *loop);
SW_DEFINE_CLEANUP(struct sw_loop, sw_loop_free)
/* Run callbacks until sw_loop_stop is called. */
void sw_loop_run(struct sw_loop *loop);
void sw_loop_stop(struct sw_loop *loop);
/* Monotonic milliseconds at the beginning of the present round; costs nothing. */
uint64_t sw_loop_now_ms(const struct sw_loop *loop);
/* Run `call(ctx)` soon on the loop's thread, in the order posted. Any thread.
 * SW_E_EXHAUSTED: no memory, or SW_LOOP_CALLS_MAX wait already; nothing was queued. */
SW_MUST_CHECK enum sw_rc sw_loop_post(struct sw_loop *loop, void (*call)(void *ctx), void *ctx);
/* Run `call(ctx)` at the end of the present round of the loop, after its reads: for batching
 * writes. What a deferred call writes to a stream still leaves in this round.
 * SW_E_EXHAUSTED as sw_loop_post. */
SW_MUST_CHECK enum sw_rc sw_loop_defer(struct sw_loop *loop, void (*call)(void *ctx), void *ctx);
/* Run work(ctx) on a pool thread, then done(ctx) on the loop. */
SW_MUST_CHECK enum sw_rc sw_loop_work(struct sw_loop *loop, void (*work)(void *ctx),
                                      void (*done)(void *ctx), void *ctx);
/* Call on_signal(ctx, number) on the loop for SIGINT, SIGTERM or SIGHUP. */
SW_MUST_CHECK enum sw_rc sw_loop_on_signal(struct sw_loop *loop, int number,
                                           void (*on_signal)(void *ctx, int number), void *ctx,
                                           struct sw_err *err);

/* A timer that is not running yet; NULL when memory is out. */
struct sw_timer *sw_timer_new(struct sw_loop *loop, void (*fire)(void *ctx), void *ctx);
void sw_timer_free(struct sw_timer *timer); /* Allowed inside fire. */
/* Fire once after delay_ms, replacing an earlier start. */
void sw_timer_start(struct sw_timer *timer, uint64_t delay_ms);
void sw_timer_stop(struct sw_timer *timer);

struct sw_stream_handler {
    void *ctx;
    /* Bytes arrived; they are borrowed for the call. */
    void (*on_data)(void *ctx, struct sw_stream *stream, struct sw_bytes bytes);
    /* The peer sent its end; writing is still possible. */
    void (*on_end)(void *ctx, struct sw_stream *stream);
    /* The last call: the stream is gone after it. rc is SW_OK after sw_stream_close. */
    void (*on_close)(void *ctx, struct sw_stream *stream, enum sw_rc rc);
    /* All that was written has been taken by the kernel. May be NULL. */
    void (*on_drain)(void *ctx, struct sw_stream *stream);
};

/* Listen on TCP "127.0.0.1:7420" or "[::1]:7420" (port 0: any free port) or, with a leading '/', a
 * Unix socket of mode 0600 (a stale one that nobody listens on is replaced). accept gets each new
 * stream, not yet reading: give it a handler with sw_stream_start, or close it.
 * SW_E_INVALID: not an address.  SW_E_EXISTS: somebody else listens there. */
SW_MUST_CHECK enum sw_rc sw_listener_new(struct sw_loop *loop, const char *address,
                                         void (*accept)(void *ctx, struct sw_stream *stream),
                                         void *ctx, struct sw_listener **ret_listener,
                                         struct sw_err *err);
/* The same for a TCP socket that somebody else bound and has listen, such as one of another network
 * namespace. The file is the listener's, and closed if this fails: it is no such socket. */
SW_MUST_CHECK enum sw_rc sw_listener_adopt(struct sw_loop *loop, int file,
                                           void (*accept)(void *ctx, struct sw_stream *stream),
                                           void *ctx, struct sw_listener **ret_listener,
                                           struct sw_err *err);
void sw_listener_free(struct sw_listener *listener);
/* The TCP port really bound, 0 for a Unix socket. */
uint16_t sw_listener_port(const struct sw_listener *listener);

/* Begin to connect to an address as above, or to "host:port" with a name to look up. done is called
 * exactly once, with SW_OK and the stream, or with the error and NULL: SW_E_TIMEOUT, SW_E_NOT_FOUND
 * (no such host or socket), SW_E_UNAVAILABLE (refused), SW_E_CANCELLED (the loop is freed).
 * SW_E_INVALID: not an address; done is not called. */
SW_MUST_CHECK enum sw_rc
sw_stream_connect(struct sw_loop *loop, const char *address, uint64_t timeout_ms,
                  void (*done)(void *ctx, enum sw_rc rc, struct sw_stream *stream), void *ctx,
                  struct sw_err *err);
/* Take over one end of a connected Unix socket pair. */
SW_MUST_CHECK enum sw_rc sw_stream_adopt(struct sw_loop *loop, int file,
                                         struct sw_stream **ret_stream, struct sw_err *err);
/* Begin reading. write_max bounds what may wait to be sent. */
void sw_stream_start(struct sw_stream *stream, const struct sw_stream_handler *handler,
                     size_t write_max);
void sw_stream_pause(struct sw_stream *stream);  /* Stop reading: back-pressure. */
void sw_stream_resume(struct sw_stream *stream); /* Read again. */
/* Copy bytes to the send queue. What the kernel takes is sent at the end of the round, or earlier
 * once a few kilobytes have gathered; on_drain comes at the end of a round.
 * SW_E_EXHAUSTED: the queue would pass write_max; nothing was queued.  SW_E_UNAVAILABLE: closing.
 */
SW_MUST_CHECK enum sw_rc sw_stream_write(struct sw_stream *stream, const void *bytes, size_t size);
size_t sw_stream_pending(const struct sw_stream *stream); /* Bytes not yet taken by the kernel. */
/* Send what is queued, then our end, wait briefly for the peer's (so that it can read what we sent
 * before a reset), then close; on_close follows within SW_STREAM_FINISH_MS. No more on_data. */
#define SW_STREAM_FINISH_MS 5000u
void sw_stream_finish(struct sw_stream *stream);
/* Close at once; on_close follows with SW_OK. */
void sw_stream_close(struct sw_stream *stream);
/* "127.0.0.1:52114", "[::1]:52114" or "unix", cut to size. */
void sw_stream_peer(const struct sw_stream *stream, char *ret_text, size_t size);

/* When a socket that a library reads and writes itself is ready. It stays the library's; free the
 * poll before it closes the socket. ready(ctx, file, events) comes each round while it is so. */
#define SW_POLL_READ 1u
#define SW_POLL_WRITE 2u
SW_MUST_CHECK enum sw_rc sw_poll_new(struct sw_loop *loop, int file,
                                     void (*ready)(void *ctx, int file, unsigned events), void *ctx,
                                     struct sw_poll **ret_poll, struct sw_err *err);
void sw_poll_set(struct sw_poll *poll, unsigned events); /* What to wait for; 0: nothing. */
void sw_poll_free(struct sw_poll *poll);                 /* Allowed inside ready. */

struct sw_child_options {
    const char *const *arguments;   /* NULL-terminated; [0] is the program's path. */
    const char *const *environment; /* NULL-terminated "K=V"; NULL: empty. */
    const int *files; /* Descriptors that become 0, 1, 2 ... in the child; -1: /dev/null. */
    size_t files_count;
    void (*on_exit)(void *ctx, struct sw_child *child, int status, int signal);
    void *ctx;
};
/* Start a process with exactly these files and this environment, all signals at their defaults. It
 * should make PR_SET_PDEATHSIG its own first act, so that it ends with us. on_exit comes once,
 * unless the child is freed before. SW_E_NOT_FOUND, SW_E_DENIED: no such program, or not
 * executable. SW_E_INVALID: over 16 files. */
SW_MUST_CHECK enum sw_rc sw_child_start(struct sw_loop *loop,
                                        const struct sw_child_options *options,
                                        struct sw_child **ret_child, struct sw_err *err);
void sw_child_kill(struct sw_child *child, int signal);
int sw_child_pid(const struct sw_child *child);
void sw_child_free(struct sw_child *child); /* After on_exit; before: kills it with SIGKILL. */
/* A connected pair of Unix stream sockets, both closing on exec. */
SW_MUST_CHECK enum sw_rc sw_socket_pair(int ret_files[2], struct sw_err *err);
/* Send a few bytes over an end of such a pair, at once and all or not at all.
 * SW_E_UNAVAILABLE: there is no room, or nobody at the other end. */
SW_MUST_CHECK enum sw_rc sw_socket_send(int socket, struct sw_bytes bytes, struct sw_err *err);
/* Take what is there at an end, at most size bytes, and the first file that was sent with them
 * (SCM_RIGHTS), which is the caller's then; -1: none. Never waits.
 * SW_E_UNAVAILABLE: nothing is there yet.  SW_E_CANCELLED: nobody is at the other end. */
SW_MUST_CHECK enum sw_rc sw_socket_receive(int socket, void *ret_bytes, size_t size,
                                           size_t *ret_size, int *ret_file, struct sw_err *err);
