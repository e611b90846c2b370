/* The past of an instance, as an agent host beside the one that has it reads it from the journal:
 * its turns, what it was after one, whether it comes to the same again, and what it would have done
 * with something changed. The host that has it goes on, and nothing of this leaves.
 *
 * Threads: the loop's.  I/O: a child process and a socket pair on the loop.
 * Limits: SW_PASTS_MAX at a time; SW_PAST_TURNS_MAX turns in an answer, SW_PAST_ANSWER_MAX bytes of
 * them; timeout_ms. */
#pragma once
#include "pkg/agent/controller/controller.h"
#include "pkg/agent/link/past.h"
#include "pkg/utils/base/list.h"

#define SW_PASTS_MAX 4u
#define SW_PAST_ANSWER_MAX ((size_t)16 << 20)

struct sw_pasts { /* Those that are being looked at; zeroed, then sw_pasts_init. */
    struct sw_list all;
    unsigned count;
};

struct sw_past_look { /* Borrowed for the call. */
    struct sw_loop *loop;
    const char *host_path, *folder;
    struct sw_machine_code machine_code;
    uint64_t timeout_ms;
    const char *name_space;
    struct sw_frame_past wanted; /* But for `request`. */
    void *ctx;                   /* First argument of what follows. */
    /* One after the other; never inside of the call that causes it. */
    void (*on_turn)(void *ctx, const struct sw_frame_past_turn *turn);
    void (*on_state)(void *ctx, const struct sw_frame_past_state *state);
    /* A piece of what a fork begins with, each behind the one before, SW_FRAME_FORK_BYTES_MAX in
     * all; called for that act only. */
    void (*on_fork)(void *ctx, const struct sw_frame_past_fork *piece);
    /* All is told. rc SW_OK: end says which turns there are. Otherwise err says why not:
     * NOT_FOUND nobody of that key, RANGE no such turn, PRECONDITION it came to something else,
     * UNSUPPORTED another engine ran it, UNAVAILABLE, TIMEOUT, EXHAUSTED. */
    void (*on_end)(void *ctx, enum sw_rc rc, const struct sw_frame_past_end *end,
                   const struct sw_err *err);
};

void sw_pasts_init(struct sw_pasts *pasts);
/* End all; nobody hears of it. */
void sw_pasts_done(struct sw_pasts *pasts);
/* Begin; on_end is called exactly once unless an error is returned.
 * SW_E_EXHAUSTED: there are SW_PASTS_MAX already.  Others: the host cannot be started. */
SW_MUST_CHECK enum sw_rc sw_past_look(struct sw_pasts *pasts, const struct sw_past_look *look,
                                      struct sw_err *err);
/* Nobody waits any more for those of whose look->ctx is_it says so: they end, on_end hears of it.
 */
void sw_pasts_stop(struct sw_pasts *pasts, bool (*is_it)(const void *look_ctx, const void *ctx),
                   const void *ctx);
