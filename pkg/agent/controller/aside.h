/* An agent host beside those that serve: started for one task, on a journal that it looks at, asks
 * for machine code as it needs it, and ends. Guest code runs where it always runs, in the sandboxed
 * process. Seen by this room's files only.
 *
 * Threads: the loop's.  I/O: a child process and a socket pair on the loop.  Limits: what the host
 * sends is bounded by its link; how long it takes, by timeout_ms. */
#pragma once
#include "pkg/agent/controller/controller.h"
#include "pkg/agent/link/frame.h"

struct sw_aside; /* Opaque. */

struct sw_aside_options { /* Copied, but for what it points to, which outlives it. */
    struct sw_loop *loop;
    const char *host_path, *folder;
    const char *task;           /* "--replay" */
    const char *library_folder; /* Where the host's libraries are found first; NULL: as built. */
    const char *name_space;     /* That modules are asked for under; "": any. */
    uint64_t timeout_ms;        /* 0: none. */
    struct sw_machine_code machine_code;
    void *ctx; /* First argument of what follows. */
    /* A frame came that asks for no module. An error ends the host, and is the failure. */
    enum sw_rc (*on_frame)(void *ctx, const struct sw_frame *frame, struct sw_err *err);
    /* A module cannot be had for another reason than that it is not there. May be NULL. */
    void (*on_trouble)(void *ctx, const char *words);
    /* It is gone, and so is `aside`. failure->rc SW_OK: it ended by itself with status 0.
     * SW_E_PRECONDITION another host uses the folder, SW_E_CORRUPT the journal cannot be read or
     * the host broke the protocol, SW_E_TIMEOUT, SW_E_UNAVAILABLE it ended otherwise. */
    void (*on_end)(void *ctx, const struct sw_err *failure);
};

/* Start it; on_end comes once, never inside of this call, unless an error is returned. */
SW_MUST_CHECK enum sw_rc sw_aside_start(const struct sw_aside_options *options,
                                        struct sw_aside **ret_aside, struct sw_err *err);
/* Say something to it. */
void sw_aside_send(struct sw_aside *aside, const struct sw_frame *frame);
/* End it; on_end says so later, with this as its failure unless there was another one. */
void sw_aside_fail(struct sw_aside *aside, const struct sw_err *err);
