/* What the files of pkg/controller/events share. Threads, I/O, limits: controller.h. */
#pragma once
#include "pkg/client/informers/informer.h"
#include "pkg/controller/events/controller.h"
#include "pkg/controller/reconciler/reconciler.h"
#include "pkg/utils/base/map.h"

#define SW_EVENTS_KEEPING                                                                          \
    "keeping" /* The name in the queue that stands for deleting what is old. */

struct sw_events {
    struct sw_events_options options;
    struct sw_reconciler *reconciler;
    struct sw_map *pending; /* Store key of the Event -> what is to be added to it; owned. */
    struct sw_informer *kinds[3], *kept; /* Agents, Pods, Nodes; and the Events themselves. */
    struct sw_arena *scratch;
    uint64_t dropped;
};

/* Delete what is older than the Cluster says, and the oldest beyond SW_EVENTS_MAX. */
SW_MUST_CHECK enum sw_rc sw_events_keep(struct sw_events *events, struct sw_pass *pass,
                                        struct sw_err *err);
/* Record the move of a phase from before to now, both of one kind; either may be NULL. */
void sw_events_note_move(struct sw_events *events, const struct sw_kind *kind,
                         const struct sw_informer_change *change, bool is_new);
