/* Lists of instances, page by page; seen by this room's files only.
 *
 * Their order is that of slots, then of the hashes of keys, since those who sleep are found so and
 * their keys stand on the disk: a page reads no more of them than it shows. A page begins behind a
 * key, whether that is there or not.
 *
 * Threads: as worker.h.  I/O: the shelf is waited for.  Limits: those of the item. */
#pragma once
#include "pkg/agent/runtime/actor/state.h"

/* Add this worker's rows and pass the list on; the last worker answers. Takes the item over. */
void sw_list_deliver(struct sw_worker *worker, struct sw_item_list *list);
