/* What the process does when it serves nobody: it looks at a journal, asks for machine code as it
 * needs it, tells what it found, and ends.
 *
 * Threads: one.  I/O: the link's socket, blocking.  Limits: those of the journal. */
#pragma once
#include "cmd/swarm-agent-host/driver.h"

/* --- asking.c -------------------------------------------------------------------------------- */

typedef enum sw_rc open_module(void *ctx, enum sw_abi_class class, struct sw_bytes code,
                               struct sw_guest_module **ret_module, struct sw_err *err);

struct asking { /* Of who serves nobody, and asks for machine code as it needs it. */
    struct driver *driver;
    struct sw_worker *worker;
    struct sw_bytes wanted; /* The program that is asked for; borrowed while it is. */
    bool is_answered;       /* It is here, */
    struct sw_err reason;   /* or cannot be had, and why. */
};
/* Make driver->host, which then belongs to it; or end the process. */
void asking_begin(struct asking *asking, struct driver *driver, struct sw_worker *worker,
                  open_module *open);
/* Have the worker get a program, which it takes at its next run: MODULE_WANTED goes out, MODULE
 * comes, or MODULE_DROP, which says that it cannot be had.
 * SW_E_NOT_FOUND: that.  SW_E_PRECONDITION: it cannot be run.  Others: the link's. */
SW_MUST_CHECK enum sw_rc asking_program(struct asking *asking, struct sw_bytes pod,
                                        struct sw_bytes digest, struct sw_err *err);

/* --- replay.c -------------------------------------------------------------------------------- */

/* Run all that the journal holds again, tell swarmd what differs, and how much it was (REPLAYED);
 * or, for TASK_PACK, pack it (sw_repack), and tell how much that was. */
_Noreturn void replay_run(struct driver *driver, struct sw_worker *worker, open_module *open);

/* --- past.c ---------------------------------------------------------------------------------- */

/* Wait for PAST, and answer it. */
_Noreturn void past_run(struct driver *driver, struct sw_worker *worker, open_module *open);
