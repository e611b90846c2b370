/* Moving those who sleep off shelves of which little is needed any more, so that these can go: what
 * is on the disk stays near what sleeps there. Seen by this room's files only.
 *
 * Threads: each worker its own.  I/O: the shelf.  Limits: SW_COMPACT_READS_MAX blocks that have to
 * be waited for are read at a time. */
#pragma once
#include "pkg/agent/runtime/actor/hibernate.h"

#define SW_COMPACT_READS_MAX 64u

/* Look whether there is something to do, when nothing is. */
void sw_compact_begin(struct sw_worker *worker);
/* Go on with it, for a while. */
void sw_compact_step(struct sw_worker *worker);
static inline bool sw_compact_is_going(const struct sw_worker *worker)
{
    return worker->rest.sparse_count > 0;
}
/* A block was read that is to be moved. */
void sw_compact_loaded(struct sw_worker *worker, const struct sw_item_read *item);
