/* Lists of instances, page by page; seen by this room's files only.
 *
 * Their order is that of places: slots, then hashes of keys, since those who sleep are found so and
 * their keys stand on the disk. A page tells all of the places from one to another, which stay
 * theirs whoever sleeps, wakes, comes or goes meanwhile: who is there all the time is told of once.
 * It ends when it is full, or when a worker has looked at about as many as it may at a time; so it
 * can have few rows, or none, and there is more behind it.
 *
 *     list ─► worker 0 ─► worker 1 ... ─► answer      each merges its rows into those before
 *               │   ▲
 *               ▼   │ the rows of those who sleep
 *         whoever waits for the disk (sw_list_read)
 *
 * Of those who sleep a page reads the blocks of its rows; with a prefix also those of which the key
 * is another one, but no more than SW_FRAME_PAGE_MAX. Who is counted without a prefix is not read.
 *
 * Threads: as worker.h; sw_list_read any.  I/O: sw_list_read waits for the shelf.
 * Limits: of those whose places are the same SW_FRAME_ROWS_MAX are told of. */
#pragma once
#include "pkg/agent/runtime/actor/state.h"

/* Add this worker's rows and pass the list on; the last worker answers. Takes the item over. */
void sw_list_deliver(struct sw_worker *worker, struct sw_item_list *list);
/* Read what the list shows of those that sleep. */
void sw_list_read(struct sw_shared *shared, struct sw_item_read *item);
/* They were read: go on. The item stays the caller's, without the list. */
void sw_list_loaded(struct sw_worker *worker, struct sw_item_read *item);
void sw_list_reads_free(struct sw_list_reads *reads); /* With its list; NULL: nothing. */
