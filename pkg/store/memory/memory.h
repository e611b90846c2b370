/* The durable state of a store in memory: every current item, recent history, lists and watches.
 *
 * A backend feeds it whole revisions in order once they are durable; it never sees anything else.
 * Items are ordered by key in a skip list; each key has its versions, newest first. History is a
 * queue of changes; a replaced version lives as long as the change that replaced it is kept, so any
 * revision from the compacted one on can be listed.
 *
 *   key "agents/a/x" -> rev 9 -> rev 4         history: [rev 7: nodes//n] [rev 9: agents/a/x] ...
 *   key "nodes//n"   -> rev 7                  compacted: 6 (rev 4 is needed to list at 6..8)
 *
 * Threads: the loop's thread.  I/O: none.  Limits: struct sw_store_limits. */
#pragma once
#include "pkg/store/store.h"

struct sw_memory; /* Opaque. */

/* limits are copied; seed varies the shape of the skip list. NULL when memory is out. */
struct sw_memory *sw_memory_new(const struct sw_store_limits *limits, uint64_t seed);
void sw_memory_free(struct sw_memory *memory); /* Ends all watches with SW_E_UNAVAILABLE first. */
SW_DEFINE_CLEANUP(struct sw_memory, sw_memory_free)

/* Take in an item as it was loaded, keeping a reference; before sw_memory_start, keys once each.
 * SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_memory_load(struct sw_memory *memory, struct sw_store_item *item);
/* Loading is over: `revision` is the newest, and history begins after it. */
void sw_memory_start(struct sw_memory *memory, uint64_t revision);

/* Apply one change of a revision not below the newest, keeping a reference to the item; changes of
 * one revision come one after the other. The caller publishes before anybody reads again.
 * SW_E_EXHAUSTED: no memory; the change is not there, and the store has to stop. */
SW_MUST_CHECK enum sw_rc sw_memory_apply(struct sw_memory *memory, struct sw_store_item *item);
/* What was applied is durable: `revision` becomes the newest that reads show. */
void sw_memory_publish(struct sw_memory *memory, uint64_t revision);
/* Give watches what they have not seen, then drop history beyond the limits. Call it from the
 * backend's own callback, after sw_memory_publish, sw_memory_watch_start and _resume. */
void sw_memory_dispatch(struct sw_memory *memory);

/* As the functions of pkg/store/store.h. */
uint64_t sw_memory_revision(const struct sw_memory *memory);
const struct sw_store_item *sw_memory_find(const struct sw_memory *memory, const char *key);
SW_MUST_CHECK enum sw_rc sw_memory_list(const struct sw_memory *memory,
                                        const struct sw_store_list_request *request,
                                        sw_store_visit *visit, void *ctx,
                                        struct sw_store_list_end *ret_end, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_memory_watch_start(struct sw_memory *memory, const char *prefix,
                                               uint64_t revision,
                                               const struct sw_store_watcher *watcher,
                                               struct sw_store_watch **ret_watch,
                                               struct sw_err *err);
void sw_memory_watch_stop(struct sw_memory *memory, struct sw_store_watch *watch);
void sw_memory_watch_pause(struct sw_store_watch *watch);
void sw_memory_watch_resume(struct sw_store_watch *watch);
void sw_memory_compact(struct sw_memory *memory, uint64_t revision);
/* Fills the fields that memory knows: revisions, items, history, watches. */
void sw_memory_view(const struct sw_memory *memory, struct sw_store_view *ret_view);
