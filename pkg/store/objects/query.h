/* Lists and watches of objects for the API: by kind, namespace, name and labels.
 *
 * Items are handed on as the store has them; who needs fields decodes (sw_object_of_item), who only
 * passes bytes on does not (sw_object_bytes_of_item).
 * Threads: the loop's.  I/O: none.  Limits: the store's. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/store/objects/selector.h"

struct sw_object_query {
    const struct sw_kind *kind;
    const char *namespace_name;         /* "": all. */
    const char *name;                   /* "": all; watches only. */
    const char *name_prefix;            /* NULL: all; names that begin so. Needs a namespace. */
    const struct sw_selector *selector; /* NULL: all. Copied by watches, texts too. */
};

struct sw_object_page {
    uint32_t limit;                    /* Objects in a page; 0: no limit. */
    const char *token;                 /* NULL or "": the first page. */
    uint64_t revision;                 /* 0: the newest. */
    struct sw_store_list_end *ret_end; /* Where the page ended and at which revision; or NULL. */
};

/* Visit one page of objects, ordered by namespace and name. Errors as sw_store_list. */
SW_MUST_CHECK enum sw_rc sw_objects_list(const struct sw_objects *objects,
                                         const struct sw_object_query *query,
                                         const struct sw_object_page *page, sw_store_visit *visit,
                                         void *ctx, struct sw_err *err);

struct sw_object_watch; /* Opaque. */

struct sw_object_event {               /* Borrowed for the call. */
    enum sw_api_watch_event_type type; /* ADDED, MODIFIED, DELETED or BOOKMARK. */
    /* After the change; for DELETED (gone, or no longer selected) as it was before; NULL for
     * BOOKMARK. */
    const struct sw_store_item *item;
    uint64_t revision; /* Of the change; watch from here to resume. */
};

struct sw_object_watcher {
    void *ctx;
    void (*on_event)(void *ctx, const struct sw_object_event *event);
    /* Over, not by sw_objects_watch_stop: SW_E_RANGE (list again), SW_E_UNAVAILABLE (closing). */
    void (*on_end)(void *ctx, const struct sw_err *err);
};

/* Watch from `revision` (exclusive); 0 first tells of all objects that there are, as ADDED, and
 * then a BOOKMARK. A BOOKMARK also follows whenever changes elsewhere moved the revision on, so
 * callers send only some of them. SW_E_RANGE, SW_E_EXHAUSTED: as sw_store_watch_start. */
SW_MUST_CHECK enum sw_rc
sw_objects_watch_start(struct sw_objects *objects, const struct sw_object_query *query,
                       uint64_t revision, const struct sw_object_watcher *watcher,
                       struct sw_object_watch **ret_watch, struct sw_err *err);
void sw_objects_watch_stop(struct sw_object_watch *watch);
/* Back-pressure: nothing is told until resumed; who pauses too long ends with SW_E_RANGE. Allowed
 * in on_event, which then returns to be called again after the resume. */
void sw_objects_watch_pause(struct sw_object_watch *watch);
void sw_objects_watch_resume(struct sw_object_watch *watch);
