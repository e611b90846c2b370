/* Threads of which one runs at a time, so that work can be set aside in the middle of whatever it
 * does, its stack as it is, while others go on with the rest.
 *
 *     a strand runs run(ctx), the loop ---- leave: another strand runs run(ctx) from its beginning
 *              '- resume: a strand that left goes on ---- yield: back to whoever resumed it
 *                                    '- it returns from run: it is idle, and whoever resumed it
 *                                       goes on
 *
 * What strands touch needs no lock: each sees all that the one before it did.
 *
 * Threads: new, start, join and free on any thread that is no strand; the rest on the strand that
 * runs.  I/O: none.  Limits: count_max of sw_strands_new. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>
#include <stdint.h>

struct sw_strands; /* Opaque. */
struct sw_strand;  /* Opaque: one thread, with its stack. */

/* run is to return once sw_strands_is_replaced, and otherwise at the end of all. NULL: no memory.
 */
struct sw_strands *sw_strands_new(void (*run)(void *ctx), void *ctx, uint32_t count_max);
void sw_strands_free(struct sw_strands *strands); /* Before start, or after join was true. */
SW_DEFINE_CLEANUP(struct sw_strands, sw_strands_free)
/* Have the first one run.  SW_E_EXHAUSTED: there is no thread. */
SW_MUST_CHECK enum sw_rc sw_strands_start(struct sw_strands *strands, struct sw_err *err);
/* Instead: the thread that calls is the first one. For whoever has a loop of its own. */
void sw_strands_adopt(struct sw_strands *strands);
/* Wait for the end of the loop, or end what was adopted. False: strands are set aside still, and
 * stay where they are until the process ends. */
bool sw_strands_join(struct sw_strands *strands);

/* The one that runs. */
struct sw_strand *sw_strands_self(const struct sw_strands *strands);
/* Set this one aside: another one runs the loop. Returns when this one is resumed. False, and
 * nothing has happened: there are count_max, or there is no thread. */
SW_MUST_CHECK bool sw_strands_leave(struct sw_strands *strands);
/* Have one that is set aside go on. Returns when it yields or its loop returns. */
void sw_strands_resume(struct sw_strands *strands, struct sw_strand *strand);
/* Set this one, which was resumed, aside again. */
void sw_strands_yield(struct sw_strands *strands);
/* Whether the loop is another strand's by now. */
bool sw_strands_is_replaced(const struct sw_strands *strands);
/* Have this one, which was resumed and did what it had left, run the loop again; whoever resumed it
 * finds itself replaced. */
void sw_strands_reclaim(struct sw_strands *strands);
